# SPDX-License-Identifier: GPL-2.0-only
"""Lines on stderr that say what is done and when all of it will be."""

import sys
import time


def clock(seconds):
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Progress:
    """Steps have weights (seconds, roughly); the pace so far says what the rest will take."""

    def __init__(self, total, out=sys.stderr, now=time.monotonic):
        self._total = total
        self._done = 0.0
        self._out = out
        self._now = now
        self._began = now()

    def eta(self):
        elapsed = self._now() - self._began
        if not self._done:
            return self._total
        return (self._total - self._done) * elapsed / self._done

    def step(self, weight, text):
        self._done += weight
        share = self._done / self._total if self._total else 1
        print(f"[{clock(self._now() - self._began)} {min(share, 1):4.0%}, {clock(self.eta())} "
              f"to go] {text}", file=self._out, flush=True)

    def say(self, text):
        print(f"[{clock(self._now() - self._began)}] {text}", file=self._out, flush=True)
