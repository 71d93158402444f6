# SPDX-License-Identifier: GPL-2.0-only
"""Kernel TLS on sockets, with keys that the test makes up, and its counters."""

import os
import socket
import struct
import subprocess

TCP_ULP = 31
SOL_TLS = 282
TX, RX, TX_ZEROCOPY_RO = 1, 2, 3
TLS_1_2, TLS_1_3 = 0x0303, 0x0304
AES_GCM_128, AES_GCM_256 = 51, 52
KEY_SIZE = {AES_GCM_128: 16, AES_GCM_256: 32}
RECORD = 16384


class Keys:
    """Of one direction of a connection."""

    def __init__(self, cipher=AES_GCM_128, version=TLS_1_2, sequence=None):
        size = KEY_SIZE[cipher]
        self.info = struct.pack(f"=HH8s{size}s4s8s", version, cipher, os.urandom(8),
                                os.urandom(size), os.urandom(4),
                                struct.pack(">Q", sequence or (1 << 32) - 3))


def enable(sock, transmit=None, receive=None, ulp=True):
    """Kernel TLS on a socket that is connected, with these keys; ulp: False: it has that."""
    if ulp:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
    if transmit:
        sock.setsockopt(SOL_TLS, TX, transmit.info)
    if receive:
        sock.setsockopt(SOL_TLS, RX, receive.info)


def load():
    """Before its counters are looked at; whoever sets it up has it loaded."""
    subprocess.run(["modprobe", "tls"], check=False, capture_output=True)


def prepare():
    """Has the kernel load it with its cipher, which an emulated CPU tests for longer than a client
    of the first connection waits, and sometimes than the kernel does: the second then finds it.
    Where there is none, who needs it will say so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(3):
            with socket.create_connection(listener.getsockname()) as sock:
                try:
                    enable(sock, transmit=Keys())
                except TimeoutError:
                    continue
                except OSError:
                    pass
                return


def counters():
    """Of this thread's network namespace, as a dictionary."""
    with open("/proc/thread-self/net/tls_stat", encoding="ascii") as stat:
        return {name: int(value) for name, value in (line.split() for line in stat)}
