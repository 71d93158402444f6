# SPDX-License-Identifier: GPL-2.0-only
"""A TCP peer in user space that sends payload from the ring of a packet socket, whose pages stay
its own: it can write to them when they have been received, also after it has unmapped them."""

import mmap
import socket
import struct
import subprocess
import time

HERE, PEER = "10.9.9.1", "10.9.9.9"
PORT = 9009

ETH_P_IP = 0x0800
SOL_PACKET = 263
PACKET_VERSION, PACKET_TX_RING = 10, 13
TPACKET_V2 = 1
SEND_REQUEST = 1
FRAME = 32768
FRAMES = 4
DATA = 32  # of a frame, behind its struct tpacket2_hdr
ETHERNET = bytes(12) + struct.pack("!H", ETH_P_IP)
SYN, RST, PSH, ACK = 2, 4, 8, 16


def _sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def _packet(port, seq, ack, flags, payload=b""):
    """An IP packet to HERE."""
    tcp = struct.pack("!HHIIBBHHH", PORT, port, seq, ack, 5 << 4, flags, 65535, 0, 0)
    ends = socket.inet_aton(PEER) + socket.inet_aton(HERE)
    check = _sum(ends + struct.pack("!BBH", 0, 6, len(tcp) + len(payload)) + tcp + payload)
    tcp = tcp[:16] + struct.pack("!H", check) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(payload), 0, 0x4000, 64, 6, 0) + ends
    return ip[:10] + struct.pack("!H", _sum(ip)) + ip[12:] + tcp + payload


class RingPeer:
    """Waits for one connection; of the network namespace of this process, which it changes."""

    def __init__(self):
        for command in (("addr", "add", f"{HERE}/32", "dev", "lo"),
                        ("route", "add", f"{PEER}/32", "dev", "lo", "src", HERE)):
            subprocess.run(["ip", *command], check=True)
        self._plain = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self._plain.bind(("lo", ETH_P_IP))
        self._plain.settimeout(10)
        self._sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._sender.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        self._sender.setsockopt(SOL_PACKET, PACKET_TX_RING,
                                struct.pack("IIII", FRAME, FRAMES, FRAME, FRAMES))
        self._sender.bind(("lo", ETH_P_IP))
        self._ring = None
        self.map()
        self._port = self._seq = self._ack = 0
        self._next = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._port:  # or the application's end would wait for an answer
            self._send_plain(self._seq, RST | ACK)
        self.unmap()
        self._sender.close()
        self._plain.close()
        subprocess.run(["ip", "route", "del", f"{PEER}/32"], check=False)
        subprocess.run(["ip", "addr", "del", f"{HERE}/32", "dev", "lo"], check=False)

    def connect(self, sock):
        """Connects a socket of the application under test to this peer."""
        sock.bind((HERE, 0))
        sock.setblocking(False)
        sock.connect_ex((PEER, PORT))
        while True:
            packet = self._plain.recv(65536)[len(ETHERNET):]
            header = packet[20:40]
            if packet[16:20] == socket.inet_aton(PEER) and header[13] & (SYN | ACK) == SYN:
                break
        self._port, _, seq = struct.unpack("!HHI", header[:8])
        self._ack = seq + 1 & 0xffffffff
        self._seq = 1
        self._send_plain(0, SYN | ACK)
        sock.setblocking(True)
        sock.settimeout(20)

    def _send_plain(self, seq, flags):
        self._plain.send(ETHERNET + _packet(self._port, seq, self._ack, flags))

    def map(self):
        self._ring = mmap.mmap(self._sender.fileno(), FRAME * FRAMES)

    def unmap(self):
        if self._ring is not None:
            self._ring.close()
        self._ring = None

    def send(self, payload):
        """From the next frame of the ring."""
        frame = self._next % FRAMES * FRAME
        self._next += 1
        packet = ETHERNET + _packet(self._port, self._seq, self._ack, PSH | ACK, payload)
        self._seq += len(payload)
        self._ring[frame + DATA:frame + DATA + len(packet)] = packet
        self._ring[frame:frame + 8] = struct.pack("II", SEND_REQUEST, len(packet))
        self._sender.send(b"")
        end = time.monotonic() + 10
        while struct.unpack("I", self._ring[frame:frame + 4])[0] != 0:
            assert time.monotonic() < end, "the packet is not sent"
            time.sleep(0.001)

    def overwrite(self):
        """Whatever was sent."""
        for frame in range(0, FRAME * FRAMES, FRAME):
            self._ring[frame + DATA:frame + FRAME] = b"X" * (FRAME - DATA)
