# SPDX-License-Identifier: GPL-2.0-only
"""Runs libra-soak."""

import json
import os
import subprocess

from .process import end_with_parent


def run(env, *options):
    """Its summary, and what it said before. Its progress goes to standard error."""
    binary = os.path.join(env.build, "tests/soak/libra-soak")
    if not os.access(binary, os.X_OK):
        raise RuntimeError(f"{binary} is missing: build it first (cmake --build {env.build})")
    with subprocess.Popen([binary, *map(str, options)], stdout=subprocess.PIPE, text=True,
                          preexec_fn=end_with_parent) as process:
        out = process.communicate()[0].splitlines()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"libra-soak ended with status {process.returncode}")
    return json.loads(out[-1]), out[:-1]
