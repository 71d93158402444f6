#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The module comes and goes: under traffic, around sleeping tasks, never under its users."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

import vmtest
from harness import libra
from harness.load import complaint

ATTACHED, OTHER, ORIGIN = 9001, 9002, 9003


class Pair:
    """Both ends of a TCP connection to a port."""

    def __init__(self, port):
        with socket.create_server(("127.0.0.1", port)) as listener:
            self.client = socket.create_connection(("127.0.0.1", port), 20)
            self.server, _ = listener.accept()
        self.server.settimeout(None)

    def close(self):
        self.client.close()
        self.server.close()


class Sleeper(threading.Thread):
    """Sleeps in one recv() or sendall() until the peer does its part."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self._call = call
        self.result = None
        self.start()
        time.sleep(0.3)
        assert self.is_alive(), "the task did not go to sleep"

    def run(self):
        try:
            self.result = self._call()
        except OSError as error:
            self.result = error

    def wake(self):
        self.join(20)
        return self.result


def sleepers(pair, size=16 << 20):
    """One that waits for data, and one on the same connection that waits for room."""
    reader = Sleeper(lambda: pair.server.recv(100))
    writer = Sleeper(lambda: pair.server.sendall(bytes(size)))
    return reader, writer


def wake_all(case, pair, reader, writer, what, size=16 << 20):
    case.check(reader.is_alive() and writer.is_alive(), f"{what}: rmmod ended a sleep")
    pair.client.sendall(b"here it is")
    case.equal(reader.wake(), b"here it is", f"{what}: what the reader got")
    got = 0
    while got < size and (data := pair.client.recv(1 << 20)):
        got += len(data)
    case.equal(got, size, f"{what}: bytes from the writer")
    case.equal(writer.wake(), None, f"{what}: how the writer ended")


def rmmod():
    return subprocess.run(["rmmod", "libra"], capture_output=True, text=True, check=False)


def refused(case, why):
    run = rmmod()
    case.check(run.returncode != 0 and "in use" in run.stderr,
               f"rmmod with {why}: status {run.returncode}, {run.stderr.strip()!r}")
    case.check(libra.loaded(), f"rmmod with {why}: the module is gone")


def reload(env):
    if not libra.loaded():
        libra.load_module(env.args.libra_ko)


@contextlib.contextmanager
def attached_pair(env):
    """librad, a policy and a connection that it attached."""
    with libra.Daemon(env.build, env.directory) as daemon, \
            daemon.policy(f"127.0.0.1:{ATTACHED}", f"127.0.0.1:{ORIGIN}", 1):
        pair = Pair(ATTACHED)
        assert libra.counters()["attached_sockets"] == 1, "the connection is not attached"
        yield daemon, pair
        pair.close()


def survives(env, tap):
    with tap.case("sleeping readers and writers on unattached sockets survive rmmod") as case:
        early = Pair(OTHER)
        libra.unload_module()
        asleep_early = sleepers(early)  # before the module came
        reload(env)
        with attached_pair(env):
            late = Pair(OTHER)
            asleep_late = sleepers(late)  # while it was at work on another socket
        libra.unload_module()
        wake_all(case, early, *asleep_early, "asleep before insmod")
        wake_all(case, late, *asleep_late, "asleep while another socket was attached")
        for pair in (early, late):
            pair.close()
        reload(env)


def busy(env, tap):
    with tap.case("rmmod is refused as long as the module has users") as case:
        with libra.Daemon(env.build, env.directory):
            refused(case, "a parser")
        with attached_pair(env) as (daemon, pair):
            reader = Sleeper(lambda: pair.server.recv(100))
            daemon.process.stop()
            refused(case, "a reader asleep on an attached socket, librad gone")
            pair.client.sendall(b"goes on")
            case.equal(reader.wake(), b"goes on", "what the reader got")
            refused(case, "an attached socket")
        libra.unload_module()
        reload(env)


def under_traffic(env, case, rounds, turn):
    """Calls turn() as often, and keeps an unattached proxy busy meanwhile."""
    listen, origin = "127.0.0.1:8101", "127.0.0.1:8001"
    with env.origin(origin), env.proxy("nginx", "b", listen, origin, mode=None):
        load = None
        for _ in range(rounds):
            if load is None:
                load = env.load(listen, "64k", "-c", 16, "-d", 3)
            turn()
            if not load.running():
                exact(case, load)
                load = None
        if load:
            exact(case, load)


def exact(case, load):
    result = load.result()
    case.equal((result["errors"], result["mismatches"]), (0, 0), complaint(result))
    case.check(result["exact"] > 0, "there was no traffic")


LOOKER = """
import sys
print("looks", flush=True)
while True:
    try:
        with open("/proc/net/libra_sockets", "rb") as file:
            file.read()
    except OSError:
        pass
"""


def looked_at(env, tap):
    """Whoever reads is no user of the module, and comes whenever there is a file."""
    with tap.case("its sockets are looked at while it is loaded and unloaded") as case:
        pair = Pair(OTHER)
        looker = subprocess.Popen([sys.executable, "-c", LOOKER], stdout=subprocess.PIPE)
        looker.stdout.readline()
        for _ in range(5 if env.args.quick else 20):
            libra.unload_module()
            reload(env)
        case.equal(looker.poll(), None, "how the reader ended")
        looker.kill()
        looker.wait(20)
        pair.close()


def traffic(env, tap):
    def come_and_go():
        libra.unload_module()
        reload(env)

    with tap.case("loaded and unloaded again and again under traffic") as case:
        under_traffic(env, case, 4 if env.args.quick else 12, come_and_go)

    with tap.case("attached, detached and unloaded under the traffic of others") as case:
        def attach_and_go():
            with attached_pair(env) as (_, pair):
                pair.client.sendall(b"hello")
                case.equal(pair.server.recv(5), b"hello", "through an attached socket")
            come_and_go()

        under_traffic(env, case, 2 if env.args.quick else 5, attach_and_go)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    if not os.path.isdir("/sys/module/libra/holders"):
        tap.skip("all", "libra is built into this kernel")
        return
    survives(env, tap)
    busy(env, tap)
    looked_at(env, tap)
    traffic(env, tap)


if __name__ == "__main__":
    vmtest.main("unload", __doc__, body, ["64k"], daemon=False)
