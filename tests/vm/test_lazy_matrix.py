#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""nginx and HAProxy in payload memory, directive by directive: always the bytes without Libra."""

import test_matrix_haproxy
import test_matrix_nginx
import vmtest
from harness import matrix, netns


def options(parser):
    parser.add_argument("--only-row", metavar="TEXT", default="",
                        help="run the rows with this in their name")


def body(env, tap):
    for table in (test_matrix_nginx, test_matrix_haproxy):
        with netns.another():
            table.run(env, tap, matrix.LAZY)


if __name__ == "__main__":
    vmtest.main("lazy_matrix", __doc__, body, daemon=False, add_options=options)
