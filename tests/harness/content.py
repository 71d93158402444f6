# SPDX-License-Identifier: GPL-2.0-only
"""Files of random bytes to serve: no two pages alike, so no mix-up goes unseen."""

import os

SIZES = {
    "1k": 1 << 10,
    "16k": 16 << 10,
    "64k": 64 << 10,
    "256k": 256 << 10,
    "1m": 1 << 20,
    "10m": 10 << 20,
}


def create(directory, names):
    os.makedirs(directory, exist_ok=True)
    for name in names:
        with open(os.path.join(directory, name), "wb") as out:
            out.write(os.urandom(SIZES[name]))
