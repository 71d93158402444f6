#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""libra-lazy-model: at random, whatever can be done to payload memory, against a model of each byte.

A case that fails says its seed, the operation, and what its thread did before; with one thread,
the same seed does the same again.
"""

import vmtest
from harness import cases, kmemleak, lazy

LONG, NORMAL, QUICK = 10_000_000, 100_000, 80_000
DEBUG = 12_000  # of a debug kernel, in any case


def options(parser):
    parser.add_argument("--long", action="store_true",
                        help=f"{LONG} operations in all, in place of {NORMAL}")
    parser.add_argument("--operations", type=int, help="in all")
    parser.add_argument("--seed", type=int, default=1, help="of what is done (default: 1)")
    parser.add_argument("--threads", type=int, default=4, help="(default: 4)")
    parser.add_argument("--only-case", metavar="TEXT", default="",
                        help="run the cases with this in their name")


def command(env):
    args = env.args
    slow = kmemleak.available()
    operations = args.operations or (LONG if args.long else DEBUG if slow else
                                     QUICK if args.quick else NORMAL)
    return [cases.program(env.build, "tests/lazy/model/libra-lazy-model"),
            "--seed", str(args.seed), "--threads", str(args.threads), "--only", args.only_case,
            # There are four cases.
            "--operations", str(operations // 4),
            "--time-limit", str(120 + operations // (50 if slow else 250)),
            *(() if env.with_libra else ("--plain",))]


def body(env, tap):
    cases.run(tap, command(env))
    if env.with_libra:
        with tap.case("no payload memory is left") as case:
            case.equal(lazy.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("lazy_model", __doc__, body, daemon=False, add_options=options)
