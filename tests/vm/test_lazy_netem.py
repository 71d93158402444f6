#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A bad network on both sides of a proxy in payload memory: what test_netem checks."""

import test_netem
import vmtest
from harness import modes


def body(env, tap):
    test_netem.run(env, tap, modes.LAZY)


if __name__ == "__main__":
    vmtest.main("lazy_netem", __doc__, body, ["1m", "10m"], daemon=False)
