# SPDX-License-Identifier: GPL-2.0-only
"""The frame of each test file: options, environment, TAP."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import environment, tap  # noqa: E402


def main(subject, description, body, sizes=(), daemon=True, parsers=("http1",),
         add_options=None):
    """Calls body(env, tap). The last case is that nothing was left to clean up:
    with Libra, that includes that the module could be unloaded."""
    args = environment.test_options(description, add_options)
    report = tap.Tap(subject)
    with report.case("nothing is left behind"):
        with environment.Environment(args, sizes, daemon, parsers) as env:
            body(env, report)
    sys.exit(report.done())
