# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark: who is measured, how, and what is made of it."""

import os
import sys

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCH)
# The configurations of the proxies are those that the tests prove exact.
sys.path.insert(1, os.path.join(ROOT, "tests"))
