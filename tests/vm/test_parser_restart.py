#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A parser that was loaded into a librad with --pin outlives it as policies do: under load,
however librad ends; and it is replaced and unloaded by a librad that did not load it."""

import json
import os
import subprocess
import time

import vmtest
from harness import libra
from harness.plugin import Benchmark, Cli, Workshop, redis_server, tcp_proxy
from harness.process import Process

LISTEN, UPSTREAM = 8379, 8380
PIN = "/sys/fs/bpf/libra-test"
VALUE = 64 << 10


class Pinned(libra.Daemon):
    """One whose parsers and policies outlive it, until all is removed."""

    def __init__(self, env, directory=None):
        super().__init__(env.build, directory or env.directory, parsers=("raw",),
                         options=("--pin", PIN))

    def __exit__(self, *_):
        self.process.stop()
        run = subprocess.run([self.librad, "--socket", self.socket, "--pin", PIN, "--remove"],
                             capture_output=True, text=True, check=False)
        if run.returncode:
            raise libra.LibraError(f"librad --remove: {run.stderr}")

    def parsers(self):
        answer = json.loads(self.ctl("--json", "parser", "list").stdout)
        return {parser["name"]: parser for parser in answer["parsers"]}

    def versions(self):
        return {name: parser["version"] for name, parser in self.parsers().items()}

    def log(self):
        with open(self._log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def refusal(self, *arguments):
        run = self.ctl("parser", *arguments, check=False)
        return (run.returncode, run.stderr.strip())


def exact(case):
    value = os.urandom(VALUE // 2).hex().encode()
    case.equal(Cli(LISTEN).set("key", value), b"OK\n", "SET")
    case.check(Cli(LISTEN).get("key") == value, "GET: other bytes")


def anchors(case, load, what):
    """Something is kept in the kernel while the load runs."""
    before = libra.counters()["anchors_minted"]
    end = time.monotonic() + 20
    while load.running() and libra.counters()["anchors_minted"] == before:
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    case.check(not load.running() or libra.counters()["anchors_minted"] > before,
               f"{what}: nothing is anchored")


def under_load(env, case, daemon, second):
    """librad ends in all ways, and the parser is replaced by one that did not load it."""
    load = Benchmark(LISTEN, "-t", "set,get", "-n", 2000 if env.args.quick else 10000, "-c", 8,
                     "-d", VALUE)
    turns = 0
    for name, end in (("stopped", Process.stop), ("killed", Process.kill)):
        before = daemon.parsers()
        end(daemon.process)
        anchors(case, load, f"{name}, no librad")
        daemon.start()
        case.equal(daemon.parsers(), before, f"{name}: parsers")
        anchors(case, load, f"{name}, the next librad")
        turns += load.running()
    daemon.ctl("parser", "replace", "redis", second)
    case.equal(daemon.versions(), {"raw": "1", "redis": "2.0"}, "replaced by the third librad")
    anchors(case, load, "replaced")
    turns += load.running()
    daemon.process.kill()
    daemon.start()
    case.equal(daemon.versions(), {"raw": "1", "redis": "2.0"}, "the fourth librad")
    rows, complaints = load.result()
    print(f"# {turns} of 3 turns ended under load", flush=True)
    case.check(turns > 0, "the load was too short")
    case.equal(complaints, [], "redis-benchmark's complaints")
    case.equal(sorted(rows), ["GET", "SET"], "tests")


def restarts(env, tap, first, second):
    with tap.case("a loaded parser goes on when librad ends, under load") as case:
        before = libra.counters()
        with redis_server(env, UPSTREAM), \
                tcp_proxy(env, f"127.0.0.1:{LISTEN}", f"127.0.0.1:{UPSTREAM}"), \
                Pinned(env) as daemon:
            loaded = daemon.ctl("parser", "load", first)
            case.equal((loaded.stdout, loaded.stderr), ("redis 1.0\n", ""), "libractl says")
            case.equal(daemon.parsers()["redis"]["origin"], first, "origin")
            daemon.ctl("attach", "--parser", "redis", "--listen", f"127.0.0.1:{LISTEN}",
                       "--upstream", f"127.0.0.1:{UPSTREAM}", "--domain", "6", "--mode", "token",
                       "--anchor-requests")
            exact(case)
            under_load(env, case, daemon, second)
            exact(case)
            status, said = daemon.refusal("unload", "redis")
            case.equal((status, "policies use parser redis" in said), (1, True), said)
            daemon.ctl("detach", "--all")
            daemon.ctl("parser", "unload", "redis")
            case.check(not os.path.exists(f"{PIN}/format-1/parsers/redis"), "its pin is left")
            daemon.process.stop()
            daemon.start()
            case.equal(daemon.versions(), {"raw": "1"}, "after the unloading")
            after = libra.counters()
            for name in ("fail_stops", "fallback_parser_bad_answer"):
                case.equal(after[name] - before[name], 0, name)
            case.check("policy 1" not in daemon.log().rsplit("redis: taken away", 1)[1],
                       "a policy is left")
        case.equal(libra.settle(), {}, "left behind")
        case.check(not os.path.exists(PIN), "pins are left")
        case.check(not os.path.exists(daemon.socket + ".parsers"), "the list of them is left")


def interrupted(env, tap, first, second):
    """Killed at any point of a change: what the next librad says is what is there."""
    with tap.case("librad is killed while it loads and replaces") as case, Pinned(env) as daemon:
        for turn in range(4 if env.args.quick else 20):
            there = "redis" in daemon.versions()
            arguments = ("replace", "redis", (first, second)[turn % 2]) if there else \
                ("load", first)
            with subprocess.Popen([daemon.libractl, "--socket", daemon.socket, "parser",
                                   *arguments], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL):
                time.sleep(0.05 + 0.15 * turn)
                daemon.process.kill()
            pinned = os.path.exists(f"{PIN}/format-1/parsers/redis")
            daemon.start()
            versions = daemon.versions()
            case.equal("redis" in versions, pinned, f"turn {turn}: is it there")
            case.check(versions.get("redis") in (None, "1.0", "2.0"),
                       f"turn {turn}: it is called {versions}")
        if "redis" in daemon.versions():
            daemon.ctl("parser", "unload", "redis")
        daemon.ctl("parser", "load", first)


def not_pinned(env, tap, first):
    with tap.case("without --pin it is said that it goes, and it does") as case:
        with libra.Daemon(env.build, env.directory, parsers=("raw",)) as daemon:
            loaded = daemon.ctl("parser", "load", first)
            case.equal(loaded.stdout, "redis 1.0\n", "libractl says")
            case.check("goes when librad ends" in loaded.stderr, f"said: {loaded.stderr}")
            daemon.stop()
            daemon.start()
            names = json.loads(daemon.ctl("--json", "status").stdout)["parsers"]
            case.equal(names, ["raw"], "parsers")


def full(env, tap, first, second):
    """No room for the list of parsers: refused, and all is as it was."""
    with tap.case("the disk is full") as case:
        directory = env.path("small")
        os.makedirs(directory)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory], check=True)
        try:
            with Pinned(env, directory) as daemon:
                daemon.ctl("parser", "load", first)
                before = daemon.parsers()
                with open(os.path.join(directory, "filler"), "wb", buffering=0) as filler:
                    try:
                        while True:
                            filler.write(bytes(512))
                    except OSError as error:
                        case.check("No space" in str(error), str(error))
                status, said = daemon.refusal("replace", "redis", second)
                case.equal((status, "No space left on device" in said), (1, True), said)
                case.equal(daemon.parsers(), before, "parsers")
                os.unlink(os.path.join(directory, "filler"))
                daemon.process.kill()
                daemon.start()
                case.equal(daemon.parsers(), before, "parsers of the next librad")
                daemon.ctl("parser", "replace", "redis", second)
        finally:
            subprocess.run(["umount", directory], check=True)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    shop = Workshop(env.build, env.directory)
    first, second = shop.redis(), shop.redis("2.0")
    restarts(env, tap, first, second)
    interrupted(env, tap, first, second)
    not_pinned(env, tap, first)
    full(env, tap, first, second)


if __name__ == "__main__":
    vmtest.main("parser-restart", __doc__, body, daemon=False)
