#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""libra-lazy: payload memory behaves as private memory does, whoever looks, and is accounted for."""

import os
import subprocess

import vmtest
from harness import cases, kmemleak, lazy

# What this machine may be without.
MAY_SKIP = {
    "kernel_direct_io": "no loop devices", "kernel_direct_io_in_sectors": "no loop devices",
    "map_protection_key": "no protection keys", "map_userfaultfd": "no userfaultfd",
}


KERNELS = ("stock", "patched", "debug")
# What the others lack: the kernels built from the lean configuration have no block devices, no
# KSM and no way to poison memory, and only the debug one lets allocations fail. (How names begin.)
LEFT_TO = {
    "stock": ("kernel_direct_io", "shown_ksm", "shown_poisoned"),
    "debug": ("inject_",),
}


def options(parser):
    parser.add_argument("--long", action="store_true", help="longer races")
    parser.add_argument("--only-case", metavar="TEXT", default="",
                        help="run the cases with this in their name")


def command(env):
    program = cases.program(env.build, "tests/lazy/libra-lazy")
    limit = 600 if kmemleak.available() or env.args.long else 120  # a debug kernel is slow
    return [program, "--time-limit", str(limit), "--only", env.args.only_case,
            *(("--long",) if env.args.long else ()),
            *(() if env.with_libra else ("--plain",))]


def left_to(name):
    """The kernel that runs this case, if this is another one."""
    here = os.environ.get("LIBRA_KERNEL")
    return next((kernel for kernel, names in LEFT_TO.items()
                 if here in KERNELS and here != kernel and name.startswith(names)), None)


def passes(env, tap, name, word, skipped, notes):
    if skipped and (kernel := left_to(name)):
        print(f"# {name}: {skipped}; left to the {kernel} kernel", flush=True)
        return
    if word == "ok" and skipped and (not env.with_libra or
                                     skipped.startswith(MAY_SKIP.get(name, "\0"))):
        tap.skip(name, skipped)
        return
    cases.passes(tap, name, word, skipped, notes)


def body(env, tap):
    if env.with_libra:
        # For O_DIRECT; where there is none, the cases say so.
        subprocess.run(["modprobe", "loop"], capture_output=True, check=False)
    cases.run(tap, command(env), lambda *result: passes(env, *result))
    if env.with_libra:
        with tap.case("no payload memory is left") as case:
            case.equal(lazy.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("lazy", __doc__, body, daemon=False, add_options=options)
