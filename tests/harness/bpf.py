# SPDX-License-Identifier: GPL-2.0-only
"""The few calls of bpf(2) that tests need."""

import ctypes
import os
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
GET_INFO, LINK_BY_ID, NEXT_LINK, LINK_DETACH = 15, 30, 31, 34
STRUCT_OPS = 9  # a link's type


def _bpf(command, attributes):
    """What the call returns; it may write to the attributes."""
    result = LIBC.syscall(BPF, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return result


def _links():
    """A descriptor of each link that there is."""
    link = 0
    while True:
        attributes = ctypes.create_string_buffer(struct.pack("=III", link, 0, 0), 12)
        try:
            _bpf(NEXT_LINK, attributes)
        except FileNotFoundError:
            return
        link = struct.unpack("=III", attributes.raw)[1]
        fd = _bpf(LINK_BY_ID, ctypes.create_string_buffer(struct.pack("=III", link, 0, 0), 12))
        try:
            yield fd
        finally:
            os.close(fd)


def detach_struct_ops():
    """Unregisters what others registered; returns how many."""
    count = 0
    for fd in _links():
        info = ctypes.create_string_buffer(256)
        _bpf(GET_INFO, ctypes.create_string_buffer(
            struct.pack("=IIQ", fd, len(info), ctypes.addressof(info)), 16))
        if struct.unpack_from("=I", info.raw)[0] == STRUCT_OPS:
            _bpf(LINK_DETACH, ctypes.create_string_buffer(struct.pack("=I", fd), 4))
            count += 1
    return count
