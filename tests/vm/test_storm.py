#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A proxy of many threads that share everything: no wrong byte, and nothing left.

libra-storm's threads receive from, send to, shut down and close the same sockets at the same
time. Its connections may be aborted for that at any time; what arrives is what origins sent.
"""

import contextlib
import json
import os
import random
import subprocess
import time

import vmtest
from harness import ktls, libra
from harness.hostile import PORTS
from harness.process import end_with_parent

LISTEN, ORIGIN = (f"127.0.0.1:{port}" for port in PORTS["raw"])
GRACE = 300     # seconds for a storm to end, on a debug kernel
PATIENCE = 120  # for something to be anchored again
ROUNDS = 3      # at least, of each kind
# Anchors of a storm of 20 s; emulated, beside other work, at least 488 were redeemed.
FLOOR = 40
# What is encrypted takes longer.
FLOOR_ENCRYPTED = 10


def add_options(parser):
    parser.add_argument("--seed", type=int, default=1)


class Storm:
    """A running libra-storm; --seconds, or until it is told to end."""

    def __init__(self, env, seconds=0, *options):
        binary = os.path.join(env.build, "tests/hostile/libra-storm")
        if not os.access(binary, os.X_OK):
            raise RuntimeError(f"{binary} is missing: build it first (cmake --build {env.build})")
        self._limit = seconds + GRACE
        self._process = subprocess.Popen(
            [binary, "--seconds", str(seconds), "--seed", str(env.args.seed),
             *options, *(() if env.with_libra else ("--plain",))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=end_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def running(self):
        return self._process.poll() is None

    def end(self, case, together=True):
        """Its summary, and what is wrong with it. together: it was long enough for two threads to
        send on one socket at once."""
        out, said = self._process.communicate(timeout=self._limit)
        for line in said.splitlines():
            case.check(False, line)
        if not case.check(self._process.returncode in (0, 1),
                          f"libra-storm ended with status {self._process.returncode}"):
            return None
        result = json.loads(out)
        print(f"# {result}", flush=True)
        case.equal((result["wrong"], result["false_peeks"]), (0, 0), "wrong bytes, peeks")
        case.check(result["together"] > 0 or not together, "no two threads sent on one socket at once")
        return result


@contextlib.contextmanager
def patience():
    """A domain that loses so many messages would anchor no more."""
    with libra.sysctl("max_unmet", 4096):
        yield


def attach(daemon):
    return daemon.ctl("attach", "--parser", "raw", "--listen", LISTEN, "--upstream", ORIGIN,
                      "--domain", "1", "--mode", "token").stdout.strip()


def counted(name):
    return libra.counters()[name]


def check_anchors(case, result, floor):
    for name in ("anchors_minted", "anchors_redeemed"):
        case.check(result["counted"][name] >= floor,
                   f"{name}: {result['counted'][name]}, not {floor}")
    case.equal(libra.settle(), {}, "left behind")


def storm(env, tap, where="", floor=FLOOR, options=()):
    seconds = 20 if env.args.quick else 120
    with tap.case(f"{where}a storm of {seconds} s") as case, contextlib.ExitStack() as stack:
        if env.with_libra:
            daemon = stack.enter_context(libra.Daemon(env.build, env.directory, ("raw",)))
            attach(daemon)
        with Storm(env, seconds, *options) as running:
            result = running.end(case)
        if result and env.with_libra:
            check_anchors(case, result, floor * seconds // 20)


def encrypted_storm(env, tap):
    """Kernel TLS towards the clients, and from the origins."""
    ktls.load()
    with libra.sysctl("tls", 1) if env.with_libra else contextlib.nullcontext():
        before = ktls.counters()
        storm(env, tap, "kTLS, ", FLOOR_ENCRYPTED, ("--ktls",))
        after = ktls.counters()
    with tap.case("kTLS, nothing was decrypted that was not encrypted so") as case:
        for name in ("TlsTxSw", "TlsRxSw"):
            case.check(after[name] > before[name], f"{name}: nothing was encrypted")
        case.equal(after["TlsDecryptError"], before["TlsDecryptError"], "TlsDecryptError")


def anchors_again(before, running):
    end = time.monotonic() + PATIENCE
    while counted("anchors_minted") == before and time.monotonic() < end and running():
        time.sleep(0.02)
    return counted("anchors_minted") > before


def comings_and_goings(env, tap):
    """Policies and the parser go while everything is under way, and come back."""
    choose = random.Random(env.args.seed)
    seconds = 20 if env.args.quick else 120
    with tap.case("a storm while policies and librad come and go") as case, \
            contextlib.ExitStack() as stack:
        daemon = stack.enter_context(libra.Daemon(env.build, env.directory, ("raw",)))
        attach(daemon)
        minted = counted("anchors_minted")
        running = stack.enter_context(Storm(env))
        end = time.monotonic() + seconds
        detached = restarted = 0
        while running.running() and (time.monotonic() < end or
                                     min(detached, restarted) < ROUNDS):
            if not case.check(anchors_again(minted, running.running),
                              f"nothing is anchored any more after {detached} detached, "
                              f"{restarted} restarted"):
                break
            time.sleep(choose.uniform(0, 0.5))
            if detached <= restarted:
                daemon.ctl("detach", "--all")
                time.sleep(choose.uniform(0, 0.5))
                detached += 1
            else:
                daemon.process.stop()
                time.sleep(choose.uniform(0, 0.5))
                daemon = stack.enter_context(libra.Daemon(env.build, env.directory, ("raw",)))
                restarted += 1
            minted = counted("anchors_minted")
            attach(daemon)
        result = running.end(case)
        print(f"# {detached} times detached, {restarted} times another librad", flush=True)
        if result:
            check_anchors(case, result, detached + restarted)


def still_works(env, tap):
    with tap.case("afterwards it works") as case, \
            libra.Daemon(env.build, env.directory, ("raw",)) as daemon:
        attach(daemon)
        with Storm(env, 2) as running:
            result = running.end(case, together=False)
        if result:
            check_anchors(case, result, 1)


def body(env, tap):
    with patience() if env.with_libra else contextlib.nullcontext():
        storm(env, tap)
        encrypted_storm(env, tap)
        if env.with_libra:
            comings_and_goings(env, tap)
            still_works(env, tap)


if __name__ == "__main__":
    vmtest.main("storm", __doc__, body, daemon=False, add_options=add_options)
