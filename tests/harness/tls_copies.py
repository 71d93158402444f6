# SPDX-License-Identifier: GPL-2.0-only
"""How many bytes kernel TLS took for a device to encrypt: spliced, or copied."""

import contextlib
import os
import re

TRACING = "/sys/kernel/tracing"
EVENT = "libra_test/tls_push"
# net/tls/tls_device.c: all that is sent goes by it, and it returns how much went.
# tls_push_data(sk, iter, size, flags, record_type)
PROBE = f"r:{EVENT} tls_push_data sent=$retval:s32 flags=$arg4:x32"
PUSH = re.compile(r" tls_push: .* sent=(-?\d+) flags=0x([0-9a-f]+)")
MSG_SPLICE_PAGES = 1 << 27


def _write(path, text, mode=os.O_TRUNC):
    # Python's own "a" would seek, which these files do not know.
    out = os.open(os.path.join(TRACING, path), os.O_WRONLY | mode)
    try:
        os.write(out, text.encode())
    finally:
        os.close(out)


def _pushed():
    """(spliced, copied) bytes so far."""
    counts = [0, 0]
    with open(os.path.join(TRACING, "trace"), encoding="utf-8", errors="replace") as trace:
        for match in filter(None, map(PUSH.search, trace)):
            counts[not int(match.group(2), 16) & MSG_SPLICE_PAGES] += max(0, int(match.group(1)))
    return tuple(counts)


@contextlib.contextmanager
def counting():
    """Of the whole machine; what it gives says (spliced, copied), in bytes."""
    _write("kprobe_events", PROBE + "\n", os.O_APPEND)
    try:
        _write("buffer_size_kb", "8192")
        _write("trace", "")
        _write(f"events/{EVENT}/enable", "1")
        yield _pushed
    finally:
        _write(f"events/{EVENT}/enable", "0")
        _write("kprobe_events", f"-:{EVENT}\n", os.O_APPEND)
