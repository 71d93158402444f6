# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's leak detector says of Libra; silent where there is none."""

import re
import time

CONTROL = "/sys/kernel/debug/kmemleak"
# An object counts once it is older than this, in seconds.
MIN_AGE = 5.0
# A frame in Libra, or in a module that is gone: then it has no name.
OURS = re.compile(r"\blibra_|\[libra\]|\] 0x[0-9a-f]+$", re.MULTILINE)


class Leak(RuntimeError):
    pass


def available():
    """There is a detector, and it has not given up."""
    try:
        with open(CONTROL, encoding="ascii", errors="replace") as control:
            control.read(1)
    except OSError:
        return False
    return True


def scan():
    """All unreferenced objects. Twice, because an object that moved from one place to
    another during the first scan is only taken for lost by the second."""
    for _ in range(2):
        with open(CONTROL, "w", encoding="ascii") as control:
            control.write("scan")
    with open(CONTROL, encoding="ascii", errors="replace") as control:
        text = control.read()
    return [entry for entry in re.split(r"^(?=unreferenced object)", text, flags=re.MULTILINE)
            if entry.strip()]


def check():
    """Raises Leak when Libra, which must still be loaded, has lost memory."""
    if not available():
        return
    time.sleep(MIN_AGE)
    leaks = [entry for entry in scan() if OURS.search(entry.partition("backtrace")[2])]
    if leaks:
        raise Leak(f"kmemleak: {len(leaks)} objects, the first:\n{leaks[0]}")
