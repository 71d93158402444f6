#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""stress-ng, which knows nothing of Libra, tortures malloc() and verifies what is in its blocks.

Each stressor must pass with libra-malloc.so as it does without, and its blocks must have been
in payload memory. The sorts, bsearch and zlib look at every byte of blocks of 64 KB and more.
"""

import re
import shutil
import subprocess
import time

import vmtest
from harness import lazy
from harness.process import end_with_parent

# Name, how often it does what it does, and more options.
STRESSORS = (
    ("malloc", 400, ("--malloc-bytes", "4m", "--malloc-max", "128", "--malloc-touch",
                       "--malloc-pthreads", "2", "--malloc-zerofree")),
    ("bigheap", 800, ("--bigheap-growth", "16k")),
    ("qsort", 3, ("--qsort-size", "65536")),
    ("heapsort", 2, ("--heapsort-size", "65536")),
    ("radixsort", 2, ("--radixsort-size", "65536")),
    ("bsearch", 2, ("--bsearch-size", "65536")),
    ("zlib", 20, ("--zlib-level", "1")),
)
PROCESSES = 2
FROM_PAYLOAD = "come from payload memory"
# What it says of a stressor that was killed, or could not begin.
BAD = re.compile(r"fail:|error:|skipped|unsuccessful|killed|signal", re.IGNORECASE)


def stress(env, case, name, operations, options, preload):
    """The most pages of payload memory that were seen in use meanwhile."""
    command = ["stress-ng", f"--{name}", str(PROCESSES), f"--{name}-ops", str(operations),
               "--verify", "--temp-path", env.directory, *options]
    most, end = 0, time.monotonic() + 240
    environment = ["env", *(f"{key}={value}" for key, value in (preload or {}).items())]
    with subprocess.Popen([*environment, *command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          preexec_fn=end_with_parent) as process:
        while process.poll() is None and time.monotonic() < end:
            most = max(most, env.counters()["payload_pages"])
            time.sleep(0.02)
        if process.poll() is None:
            process.terminate()
        said = process.communicate()[0]
    what = f"{name} {'with' if preload else 'without'} the library"
    case.equal(process.returncode, 0, f"{what}: status")
    for line in said.splitlines():
        case.check(not BAD.search(line), f"{what}: {line}")
    case.check("successful run completed" in said, f"{what}: it does not say that it was done")
    if preload:
        case.check(FROM_PAYLOAD in said, f"{what}: no block came from payload memory")
    return most


def body(env, tap):
    if not shutil.which("stress-ng"):
        raise RuntimeError("stress-ng is missing: scripts/install-deps test")
    most = 0
    for name, operations, options in STRESSORS:
        if env.args.quick:
            operations = max(1, operations // 4)
        with tap.case(name) as case:
            case.equal(stress(env, case, name, operations, options, None), 0,
                       f"{name} without the library: pages of payload memory")
            if not env.with_libra:
                continue
            most = max(most, stress(env, case, name, operations, options,
                                    {**env.preload(), "LIBRA_MALLOC_VERBOSE": "1"}))
            case.equal(lazy.settle(), {}, "left behind")
    if env.with_libra:
        with tap.case("much of payload memory was in use") as case:
            case.check(most >= 256, f"never more than {most} pages: it proves little")


if __name__ == "__main__":
    vmtest.main("lazy_stress", __doc__, body, daemon=False)
