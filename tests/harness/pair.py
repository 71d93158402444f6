# SPDX-License-Identifier: GPL-2.0-only
"""Both ends of one connection."""

import socket


def connect(port):
    """(the accepted end, the connecting end)"""
    with socket.create_server(("127.0.0.1", port)) as listener:
        connecting = socket.create_connection(("127.0.0.1", port), 10)
        accepted, _ = listener.accept()
    accepted.settimeout(10)
    return accepted, connecting
