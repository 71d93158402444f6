# SPDX-License-Identifier: GPL-2.0-only
"""Runs libra-load."""

import json
import os
import subprocess

from .process import end_with_parent


class Load:
    """A running load; result() waits for its summary."""

    def __init__(self, build, url, reference, *options):
        binary = os.path.join(build, "tests/load/libra-load")
        if not os.access(binary, os.X_OK):
            raise RuntimeError(f"{binary} is missing: build it first (cmake --build {build})")
        self._popen = subprocess.Popen(
            [binary, url, "--reference", reference, *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent)

    def running(self):
        return self._popen.poll() is None

    def result(self, timeout=180):
        try:
            out, error = self._popen.communicate(timeout=timeout)
        except BaseException:
            self._popen.kill()
            self._popen.wait()
            raise
        if self._popen.returncode not in (0, 1):
            raise RuntimeError(f"libra-load failed: {error.strip()}")
        return json.loads(out)


def run(build, url, reference, *options, timeout=180):
    return Load(build, url, reference, *options).result(timeout)


def complaint(result):
    """What went wrong, in one line."""
    return ", ".join(f"{key} {result[key]}" for key in
                     ("mismatches", "errors", "error_kinds", "first_error", "first_mismatch")
                     if result.get(key)) or "nothing"
