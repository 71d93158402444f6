#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""librad_kernel: what the kernel refuses, and what librad's parts say then."""

import os
import subprocess

import vmtest


def run(program, *options):
    return subprocess.run([program, *options], capture_output=True, text=True, check=False,
                          timeout=300)


def names(program):
    """Suite.Test of all it has, from lines of suites and indented ones of tests."""
    suite = ""
    for line in run(program, "--gtest_list_tests").stdout.splitlines():
        if line.startswith(" "):
            yield suite + line.split()[0]
        elif line.endswith("."):
            suite = line


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    program = os.path.join(env.build, "userspace/tests/librad_kernel")
    count = 0
    for name in names(program):
        count += 1
        with tap.case(name) as case:
            done = run(program, f"--gtest_filter={name}")
            case.equal(done.returncode, 0, f"{' | '.join(done.stdout.splitlines()[-12:])}; status")
    with tap.case("they were found") as case:
        case.check(count > 0, f"{program} has no tests, or is not built")


if __name__ == "__main__":
    vmtest.main("librad_kernel", __doc__, body, daemon=False)
