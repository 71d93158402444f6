#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The module stays while a process has payload memory, and goes when none has, however it ended."""

import os
import signal
import subprocess
import time

import vmtest
from harness import lazy, libra
from harness.load import complaint

LISTEN, ORIGIN = "127.0.0.1:8101", "127.0.0.1:8001"


def refused(case, why):
    run = subprocess.run(["rmmod", "libra"], capture_output=True, text=True, check=False)
    case.check(run.returncode != 0 and "in use" in run.stderr,
               f"rmmod with {why}: status {run.returncode}, {run.stderr.strip()!r}")
    case.check(libra.loaded(), f"rmmod with {why}: the module is gone")


def reload(env):
    libra.unload_module(20)
    libra.load_module(env.args.libra_ko)


def proxied(env, preload=True):
    return env.proxy("nginx", "b", LISTEN, ORIGIN, mode=None, preload=preload)


def idle(env, tap):
    with tap.case("rmmod is refused while a proxy has payload memory") as case:
        with proxied(env):
            case.check(env.counters()["payload_processes"] > 0, "nobody has payload memory")
            refused(case, "an idle proxy")
            result = env.load(LISTEN, "64k", "-c", 8, "-n", 32).result()
            case.equal(result["exact"], 32, complaint(result))
            refused(case, "a proxy that was used")
        case.equal(lazy.settle(), {}, "left behind")
        reload(env)


def open_device(env, tap):
    with tap.case("rmmod is refused while the device is open") as case:
        device = os.open("/dev/libra", os.O_RDWR)
        refused(case, "the device open")
        os.close(device)
        reload(env)


def killed(env, tap):
    for program in ("nginx", "haproxy"):
        with tap.case(f"after SIGKILL of {program} in the middle of transfers") as case:
            before = env.counters()
            with env.proxy(program, "b", LISTEN, ORIGIN, mode=None, preload=True) as proxy:
                load = env.load(LISTEN, "10m", "-c", 32, "-n", 32, "--read-rate", 1 << 20,
                                "--rcvbuf", 65536, "--timeout", 60)
                end = time.monotonic() + 40
                while time.monotonic() < end and not lazy.moved(before, env.counters()).get(
                        "lazy_tx_bytes"):
                    time.sleep(0.2)
                os.killpg(proxy.pid, signal.SIGSTOP)
                time.sleep(0.05)
                now = env.counters()
                case.check(now["lazy_tx_bytes"] > before["lazy_tx_bytes"],
                           "nothing was sent from payload memory: it proves nothing")
                case.check(load.running(), "the load was over before the kill")
                refused(case, "a stopped proxy")
                proxy.kill()
                result = load.result()
            case.equal(result["mismatches"], 0, complaint(result))
            case.equal(lazy.settle(), {}, "left behind")
            reload(env)


def traffic_of_others(env, tap):
    with tap.case("comes and goes under the traffic of others") as case, \
            proxied(env, preload=False):
        for _ in range(2 if env.args.quick else 4):
            load = env.load(LISTEN, "64k", "-c", 16, "-d", 3)
            reload(env)
            subprocess.run(["/bin/true"], env=env.preload(), check=True)
            reload(env)
            result = load.result()
            case.equal((result["errors"], result["mismatches"]), (0, 0), complaint(result))


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    if not os.path.isdir("/sys/module/libra/holders"):
        tap.skip("all", "libra is built into this kernel")
        return
    open_device(env, tap)
    with env.origin(ORIGIN, sendfile=False):
        idle(env, tap)
        killed(env, tap)
        traffic_of_others(env, tap)


if __name__ == "__main__":
    vmtest.main("lazy_unload", __doc__, body, ["64k", "10m"], daemon=False)
