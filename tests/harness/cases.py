# SPDX-License-Identifier: GPL-2.0-only
"""Programs that run cases and say in TAP how they went."""

import os
import re
import subprocess

from .process import end_with_parent

RESULT = re.compile(r"(ok|not ok) \d+ - ([^ ]+)(?: # SKIP (.*)| .*)?")


def program(build, path):
    """The path of a program of the build, which must be there."""
    out = os.path.join(build, path)
    if not os.access(out, os.X_OK):
        raise RuntimeError(f"{out} is missing: build it first (cmake --build {build})")
    return out


def passes(tap, name, word, skipped, notes):
    """No case may be skipped."""
    with tap.case(name) as case:
        if word != "ok":
            case.failures += notes or ["it says nothing"]
        elif skipped:
            case.failures.append(f"skipped: {skipped}")
    if word == "ok":
        for note in notes:
            print(f"#   {note}", flush=True)


def run(tap, command, result=passes):
    """Each result becomes a case, by result(); what is said about a result follows it."""
    seen, planned, last, notes = 0, None, None, []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", preexec_fn=end_with_parent) as process:
        for line in process.stdout:
            line = line.rstrip("\n")
            match = RESULT.fullmatch(line)
            if match or line.startswith("1.."):
                if last:
                    result(tap, last[2], last[1], last[3], notes)
                last, notes = match, []
                seen += bool(match)
                if not match:
                    planned = int(line[3:])
            elif line.startswith("# ") and not line.startswith("#   "):
                print(line, flush=True)  # what it says beside
            else:
                notes.append(line.removeprefix("#   "))
    if seen != planned or planned == 0:
        with tap.case("all of them") as case:
            case.failures += notes
            case.equal(seen, planned, "cases that ran")
            case.equal(process.returncode, 0, "exit status")
