# SPDX-License-Identifier: GPL-2.0-only
"""Altered copies of build products, for what must be refused."""

import struct

EM_BPF = 247
# r0 = *(u64 *)(r10 + 8): no verifier lets a program read above its stack.
FORBIDDEN = bytes.fromhex("79a0080000000000")
EXIT = bytes.fromhex("9500000000000000")


def _elf_objects(data):
    """Offsets of the ELF objects for BPF that are embedded in a program."""
    at = data.find(b"\x7fELF", 4)
    while at >= 0:
        if struct.unpack_from("<H", data, at + 18)[0] == EM_BPF:
            yield at
        at = data.find(b"\x7fELF", at + 4)


def _sections(data, at):
    """(name, offset, size) of each section of the ELF object at an offset."""
    table = struct.unpack_from("<Q", data, at + 40)[0]
    size, count, names = struct.unpack_from("<HHH", data, at + 58)
    headers = [struct.unpack_from("<IIQQQQ", data, at + table + i * size) for i in range(count)]
    strings = headers[names][4]
    for header in headers:
        start = at + strings + header[0]
        name = bytes(data[start:data.index(b"\0", start)]).decode()
        yield name, at + header[4], header[5]


def bpf_program(source, target, prefix):
    """Copies a program; its BPF code in sections named prefix... reads what it must not."""
    with open(source, "rb") as file:
        data = bytearray(file.read())
    changed = 0
    for at in _elf_objects(data):
        for name, start, size in list(_sections(data, at)):
            if name.startswith(prefix):
                for insn in range(start, start + size, 8):
                    if data[insn:insn + 8] == EXIT:
                        data[insn:insn + 8] = FORBIDDEN
                        changed += 1
    if not changed:
        raise ValueError(f"{source} embeds no BPF code in a section {prefix}...")
    with open(target, "wb") as file:
        file.write(data)


def replace(source, target, old, new):
    """Copies a file with the first occurrence of some bytes replaced."""
    with open(source, "rb") as file:
        data = file.read()
    if old not in data or len(old) != len(new):
        raise ValueError(f"{source} does not contain {old!r}")
    with open(target, "wb") as file:
        file.write(data.replace(old, new, 1))


def symbol_version(source, target, symbol):
    """Copies a module as if it had been built for a kernel with another version of a symbol."""
    with open(source, "rb") as file:
        data = bytearray(file.read())
    # __versions: 8 bytes of checksum, 56 of name
    at = data.find(symbol.encode().ljust(56, b"\0"))
    if at < 8:
        return False
    data[at - 8] ^= 0xff
    with open(target, "wb") as file:
        file.write(data)
    return True
