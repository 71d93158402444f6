#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel selftests (net/libra): what a proxy can observe is the same, attached or not, and
with its buffers in payload memory."""

import contextlib
import glob
import os
import re
import subprocess
import time

import vmtest
from harness import kmemleak, libra

# The ports that relay.c uses, and who reads the payload there.
POLICIES = {"raw": (7102, 7002), "http1": (7103, 7003)}
NEVER_LAZY = ("live",)  # it has no such variant
RESULT = re.compile(r"(ok|not ok) \d+ (?:proxy\.)?([^ ]+)(?: # SKIP (.*))?")
TIME_LIMIT = 600 if kmemleak.available() else 120  # of one program; a debug kernel is slow


def programs(build):
    """All that was built; none is a mistake."""
    found = sorted(path for path in glob.glob(os.path.join(build, "tests/transparency/*"))
                   if os.path.isfile(path) and os.access(path, os.X_OK))
    if not found:
        raise RuntimeError(f"no selftests in {build}/tests/transparency: build them first "
                           f"(cmake --build {build})")
    return found


@contextlib.contextmanager
def policies(daemon):
    with contextlib.ExitStack() as stack:
        for domain, (parser, (listen, upstream)) in enumerate(POLICIES.items(), start=1):
            for address in ("127.0.0.1", "[::1]"):
                stack.enter_context(daemon.policy(
                    f"{address}:{listen}", f"{address}:{upstream}", domain, parser=parser))
        yield


def run(env, tap, program):
    """Each body becomes a case. A skipped one fails: nothing here may be absent."""
    name = os.path.basename(program)
    command = [program]
    environment = dict(os.environ, LIBRA_NETNS="the caller's")
    if env.daemon:
        environment["LIBRACTL"] = f"{env.daemon.libractl} --socket {env.daemon.socket}"
    else:
        command += ["-v", "native_v4", "-v", "native_v6", "-v", "native_framed_v4"]
    notes, planned, seen = [], None, 0
    before = env.counters()["lazy_rx_bytes"]
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env=environment) as process:
        for line in process.stdout:
            line = line.rstrip("\n")
            if match := RESULT.fullmatch(line):
                seen += 1
                word, body, skipped = match.groups()
                with tap.case(f"{name}: {body}") as case:
                    if word != "ok":
                        case.failures += notes or ["it says nothing"]
                    elif skipped:
                        case.failures.append(f"skipped: {skipped}")
                notes = []
            elif line.startswith("1.."):
                planned = int(line[3:])
            elif not line.startswith(("#  RUN", "TAP version", "# Starting", "# Totals")):
                notes.append(line.removeprefix("# "))
            if time.monotonic() - begin > TIME_LIMIT:
                process.kill()
        process.wait()
    print(f"# {name}: {time.monotonic() - begin:.1f} s, "
          f"{env.counters()['lazy_rx_bytes'] - before} bytes were lazy", flush=True)
    if seen != planned:
        with tap.case(f"{name}: all of it") as case:
            case.equal(seen, planned, "bodies that ran")
    if env.with_libra and name not in NEVER_LAZY:
        with tap.case(f"{name}: something was lazy") as case:
            case.check(env.counters()["lazy_rx_bytes"] > before, "it proves nothing")


def body(env, tap):
    with policies(env.daemon) if env.daemon else contextlib.nullcontext():
        for program in programs(env.build):
            run(env, tap, program)
    if env.with_libra:
        with tap.case("nothing is attached or anchored") as case:
            case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("transparency", __doc__, body, parsers=("raw", "http1"))
