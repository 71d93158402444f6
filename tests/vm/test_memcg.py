#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel keeps for attached connections is charged to the memory cgroup of who uses them."""

import contextlib
import multiprocessing
import os
import socket
import time

import vmtest
from harness import libra

ROOT = "/sys/fs/cgroup"
ATTACHED, OTHER = 9001, 9002
CONNECTIONS = 256
# Longer than until the kernel adds up what its processors counted.
FLUSH_S = 2.5
BEGINNING = b"GET / HTTP/1.1\r\nHost: test\r\n"
REQUEST = BEGINNING + b"\r\n"
# The parser has to see it again, as a whole.
UNFINISHED = BEGINNING + 40 * (b"X-Filler: " + b"y" * 1012 + b"\r\n")


def write(path, value):
    with open(path, "w", encoding="ascii") as out:
        out.write(value)


@contextlib.contextmanager
def cgroup():
    write(f"{ROOT}/cgroup.subtree_control", "+memory")
    path = f"{ROOT}/libra-memcg-{os.getpid()}"
    os.mkdir(path)
    try:
        yield path
    finally:
        os.rmdir(path)


def kernel_memory(path):
    """What the cgroup is charged for of the kernel's memory, socket buffers and pages aside."""
    time.sleep(FLUSH_S)
    with open(f"{path}/memory.stat", encoding="ascii") as stat:
        return next(int(value) for name, value in map(str.split, stat) if name == "kernel")


def proxy(pipe, path, port):
    """In a cgroup, accepts connections and reads of each as much as it is told."""
    write(f"{path}/cgroup.procs", "0")
    with socket.create_server(("127.0.0.1", port), backlog=CONNECTIONS) as listener:
        pipe.send("listening")
        accepted = [listener.accept()[0] for _ in range(CONNECTIONS)]
        pipe.send("accepted")
        size = pipe.recv()
        for sock in accepted:
            sock.recv(size, socket.MSG_WAITALL)
        pipe.send("read")
        pipe.recv()  # they are open until then


def growth(path, port, message):
    """How much more the proxy is charged for when it has read the message, on each connection."""
    pipe, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=proxy, args=(theirs, path, port), daemon=True)
    process.start()
    theirs.close()

    def expect(word):
        assert pipe.poll(60) and pipe.recv() == word, f"the proxy has not {word}"

    expect("listening")
    with contextlib.ExitStack() as clients:
        for _ in range(CONNECTIONS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            client.sendall(message)
        expect("accepted")
        before = kernel_memory(path)
        pipe.send(len(message))
        expect("read")
        grown = kernel_memory(path) - before
    pipe.send("end")
    process.join(20)
    return grown


def charged(case, path, message, least):
    plain, attached = growth(path, OTHER, message), growth(path, ATTACHED, message)
    print(f"# {CONNECTIONS} times {len(message)} bytes: {plain} bytes charged without Libra, "
          f"{attached} attached", flush=True)
    case.check(attached - plain >= CONNECTIONS * least,
               f"{attached - plain} bytes more are charged than without Libra")
    case.equal(libra.wait_idle(20), {}, "left behind")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    if not os.path.exists(f"{ROOT}/cgroup.controllers"):
        tap.skip("all", "there is no memory controller here")
        return
    with env.daemon.policy(f"127.0.0.1:{ATTACHED}", "127.0.0.1:1", 1), cgroup() as path:
        with tap.case("attachments are charged") as case:
            charged(case, path, REQUEST, 512)
        with tap.case("headers that are kept until their end are charged") as case:
            before = libra.counters()
            charged(case, path, UNFINISHED, len(UNFINISHED))
            passed = libra.counters()["fallback_parser_pass"] - before["fallback_parser_pass"]
            case.equal(passed, 0, "connections that pass")


if __name__ == "__main__":
    vmtest.main("memcg", __doc__, body)
