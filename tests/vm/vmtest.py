# SPDX-License-Identifier: GPL-2.0-only
"""The frame of each test file: options, environment, TAP."""

import contextlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import environment, libra, tap  # noqa: E402


def main(subject, description, body, sizes=(), daemon=True, parsers=("http1",),
         add_options=None, one_session=False):
    """Calls body(env, tap). The last case is that nothing was left to clean up:
    with Libra, that includes that the module could be unloaded.

    one_session: the test is the proxy as well as its clients and origins, so it has
    connections that no policy names, and they are to be left alone."""
    args = environment.test_options(description, add_options)
    report = tap.Tap(subject)
    with report.case("nothing is left behind"):
        with environment.Environment(args, sizes, daemon, parsers) as env, \
                libra.sysctl("strangers", 0) if one_session and env.with_libra else \
                contextlib.nullcontext():
            body(env, report)
    sys.exit(report.done())
