#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""libractl trace, top and stats --watch: what they say is so, and they leave nothing behind."""

import contextlib
import glob
import json
import os
import signal
import subprocess
import time

import vmtest
from harness import libra
from harness.process import end_with_parent

ORIGIN, LISTEN = "127.0.0.1:8001", "127.0.0.1:8101"
INSTANCES = "/sys/kernel/tracing/instances/libractl-*"


@contextlib.contextmanager
def libractl(env, *arguments):
    """One that runs; its lines are JSON."""
    with subprocess.Popen([os.path.join(env.build, "tools/libractl"), "--json", *map(str, arguments)],
                          stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent) as process:
        try:
            yield process
        finally:
            process.kill()


def said_by(process, timeout=120):
    out, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, f"exit status {process.returncode}: {out}"
    return [json.loads(line) for line in out.splitlines()]


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextlib.contextmanager
def under_load(env, seconds, *options):
    load = env.load(LISTEN, "256k", "-c", 2, "-d", seconds, *options)
    try:
        yield
    finally:
        result = load.result()
        assert result["mismatches"] == 0, result


def trace(env, tap, proxy):
    with tap.case("trace: what a proxy does, in words") as case, \
            libractl(env, "trace", "--service", proxy.pid, "--count", 200) as process:
        wait_for(lambda: glob.glob(INSTANCES), "there is no instance")
        with under_load(env, 4, "--close"):
            events = said_by(process)
        case.equal(len(events), 200, "events")
        names = {event["event"] for event in events}
        # It is chance in whose thread a connection is established, and so attached.
        case.check({"anchor", "redeem"} <= names, f"events: {names}")
        others = [event for event in events if "text" not in event or event["task"] != "nginx"]
        case.equal(others, [], "what is not in words, or not of nginx")
        case.equal(glob.glob(INSTANCES), [], "left behind")
    with tap.case("trace: only one connection, only some events") as case, \
            libractl(env, "trace", "--connection", LISTEN, "--event", "redeem",
                     "--count", 10) as process:
        wait_for(lambda: glob.glob(INSTANCES), "there is no instance")
        with under_load(env, 3):
            events = said_by(process)
        case.equal({event["event"] for event in events}, {"redeem"}, "events")
        case.equal({event["fields"]["sport"] for event in events}, {"8101"}, "ports")
    with tap.case("trace: that connections are attached") as case, \
            libractl(env, "trace", "--connection", LISTEN, "--event", "attach",
                     "--count", 2) as process:
        wait_for(lambda: glob.glob(INSTANCES), "there is no instance")
        with under_load(env, 3):
            events = said_by(process)
        case.equal([event["event"] for event in events], ["attach"] * 2, "events")


def trace_ends(env, tap):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with tap.case(f"trace: {number.name} leaves nothing") as case, \
                libractl(env, "trace") as process:
            wait_for(lambda: glob.glob(INSTANCES), "there is no instance")
            process.send_signal(number)
            case.equal(said_by(process), [], "said")
            case.equal(glob.glob(INSTANCES), [], "left behind")
    with tap.case("trace: what a killed run left goes with the next one") as case:
        with libractl(env, "trace") as process:
            wait_for(lambda: glob.glob(INSTANCES), "there is no instance")
        left = glob.glob(INSTANCES)
        case.equal(len(left), 1, "of the killed one")
        with libractl(env, "trace", "--seconds", 0.2) as process:
            said_by(process)
        case.equal(glob.glob(INSTANCES), [], "left behind")


def watch(env, tap):
    with tap.case("stats --watch: rates and totals") as case, under_load(env, 4), \
            libractl(env, "stats", "--watch", 1, "--count", 2) as process:
        looks = said_by(process)
        case.equal(len(looks), 2, "intervals")
        for look in looks:
            case.check(look["per_second"]["tx_redeemed_bytes"] > 0, look["per_second"])
            case.check(look["seconds"] >= 1, look["seconds"])
            case.equal(sorted(look["stats"]), sorted(libra.counters()), "counters")
        moved = looks[1]["stats"]["rx_payload_bytes"] - looks[0]["stats"]["rx_payload_bytes"]
        rate = looks[1]["per_second"]["rx_payload_bytes"] * looks[1]["seconds"]
        case.check(abs(moved - rate) <= 1, f"{moved} bytes, and a rate that says {rate}")


def top(env, tap):
    with tap.case("top: services, rates, and no saving that nobody measured") as case, \
            under_load(env, 5), libractl(env, "top", "--once", "--interval", 2) as process:
        (look,) = said_by(process)
        case.check(look["kept_bytes_per_second"] > 0, look)
        case.equal(look["native_sample"], None, "native sample")
        services = {service["name"]: service for service in look["services"]}
        case.check("nginx" in services, services)
        case.check(services["nginx"]["attached"] > 0, services)
        case.check(services["nginx"]["cpu_percent"] > 0, services)
    with tap.case("top: a native sample is measured, and the sysctls are set back") as case, \
            under_load(env, 12):
        before = libra.counters()["fallback_disabled"]
        with libractl(env, "top", "--once", "--sample", 4) as process:
            wait_for(lambda: libra.read_sysctl("enabled") == "0", "nothing is switched off")
            case.equal(libra.read_sysctl("lazy"), "0", "lazy meanwhile")
            (look,) = said_by(process)
        sample = look["native_sample"]
        case.check(sample and sample["native_cpu_seconds_per_gb"] > 0
                   and sample["cpu_seconds_per_gb"] > 0, sample)
        print(f"# {sample}", flush=True)
        case.check(libra.counters()["fallback_disabled"] > before, "nothing was native")
        case.equal((libra.read_sysctl("enabled"), libra.read_sysctl("lazy")), ("1", "1"), "sysctls")
    for number in (signal.SIGTERM, signal.SIGKILL):
        with tap.case(f"top: {number.name} in a sample sets the sysctls back"), \
                libractl(env, "top", "--sample", 2) as process:
            wait_for(lambda: libra.read_sysctl("enabled") == "0", "nothing is switched off")
            process.send_signal(number)
            process.wait(20)
            wait_for(lambda: libra.read_sysctl("enabled") == "1"
                     and libra.read_sysctl("lazy") == "1", "they are not set back", 10)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with env.origin(ORIGIN), env.proxy("nginx", "b", LISTEN, ORIGIN) as proxy:
        trace(env, tap, proxy)
        trace_ends(env, tap)
        watch(env, tap)
        top(env, tap)
    with tap.case("nothing is left of it") as case:
        case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("watching", __doc__, body, sizes=("256k",))
