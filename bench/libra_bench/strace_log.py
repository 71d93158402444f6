# SPDX-License-Identifier: GPL-2.0-only
"""What a strace log says: how many system calls there were, and how many bytes they copied."""

import re
from collections import Counter

# Those that copy between user memory and the kernel. splice, tee and sendfile do not.
COPYING_IN = ("read", "readv", "recvfrom", "recvmsg", "pread64")
COPYING_OUT = ("write", "writev", "sendto", "sendmsg", "pwrite64")
LINE = re.compile(r"^(?:\[?(?:pid +)?\d+\]? +)?(\w+)\(.*= (-?\d+|\?)")
RESUMED = re.compile(r"^(?:\[?(?:pid +)?\d+\]? +)?<\.\.\. (\w+) resumed>.*= (-?\d+|\?)")
# An argument: recv with it copies nothing.
TRUNC = "MSG_TRUNC"


def parse(text):
    """Calls by name, and the bytes that were copied in either direction."""
    calls = Counter()
    copied = {"in": 0, "out": 0}
    for line in text.splitlines():
        match = LINE.match(line) or RESUMED.match(line)
        if not match:
            continue
        name, value = match.groups()
        calls[name] += 1
        if value == "?" or int(value) <= 0 or TRUNC in line:
            continue
        if name in COPYING_IN:
            copied["in"] += int(value)
        elif name in COPYING_OUT:
            copied["out"] += int(value)
    return {"calls": dict(calls.most_common()), "total": calls.total(), "copied": copied}
