#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The verifier takes each BPF object from another clang as well, which is not embedded in
librad: -DLIBRA_CLANG_ALSO of the build."""

import glob
import os
import subprocess

import vmtest


def load(case, build, path):
    """Loads it, and drops it again: nothing of it is attached."""
    run = subprocess.run([os.path.join(build, "userspace/tests/bpf_load"), path],
                         capture_output=True, text=True, check=False)
    said = run.stderr.strip().splitlines()
    case.equal(run.returncode, 0, f"what bpf_load said: {' | '.join(said[-6:])}; status")


def body(env, tap):
    if not env.with_libra:
        tap.skip("objects of another clang", "they need the module's kfuncs")
        return
    objects = sorted(glob.glob(os.path.join(env.build, "bpf/also/*.bpf.o")))
    if not objects:
        tap.skip("objects of another clang", "the build has no -DLIBRA_CLANG_ALSO=clang-19")
        return
    sources = glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                     "../../bpf/*.bpf.c"))
    with tap.case("there is one for each source") as case:
        case.equal(len(objects), len(sources), "objects")
    for path in objects:
        with tap.case(f"{os.path.basename(path)} is taken") as case:
            load(case, env.build, path)


if __name__ == "__main__":
    vmtest.main("compilers", __doc__, body, daemon=False)
