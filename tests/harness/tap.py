# SPDX-License-Identifier: GPL-2.0-only
"""Test Anything Protocol: one line per case, and a reason under each failure."""

import contextlib
import sys
import time
import traceback


class Case:
    def __init__(self):
        self.failures = []

    def check(self, truth, message):
        """Notes a failure and goes on: the next check may say more."""
        if not truth:
            self.failures.append(message)
        return bool(truth)

    def equal(self, got, expected, what):
        return self.check(got == expected, f"{what}: {got!r}, expected {expected!r}")


class Tap:
    def __init__(self, subject, out=sys.stdout):
        self.subject = subject
        self.out = out
        self.count = 0
        self.failed = 0

    def _say(self, text):
        print(text, file=self.out, flush=True)

    def _comment(self, text):
        for line in str(text).splitlines():
            self._say(f"#   {line}")

    @contextlib.contextmanager
    def case(self, name):
        case = Case()
        begin = time.monotonic()
        try:
            yield case
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:  # whatever it is, it fails this case and not the others
            case.failures.append(f"{type(error).__name__}: {error}")
            self._comment(traceback.format_exc())
        self.count += 1
        self.failed += bool(case.failures)
        self._say(f"{'not ok' if case.failures else 'ok'} {self.count} - {self.subject}: {name} "
                  f"({time.monotonic() - begin:.1f} s)")
        for failure in case.failures:
            self._comment(failure)

    def skip(self, name, why):
        self.count += 1
        self._say(f"ok {self.count} - {self.subject}: {name} # SKIP {why}")

    def done(self):
        """Prints the plan; returns the exit status."""
        self._say(f"1..{self.count}")
        return 1 if self.failed or self.count == 0 else 0
