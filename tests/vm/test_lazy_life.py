#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A proxy in payload memory from its start to its end: reloads, upgrades, odd origins, and what
test_vanish, test_reset and test_kill do to it."""

import contextlib
import os
import signal
import time

import test_kill
import test_reset
import test_vanish
import vmtest
from harness import lazy, modes, netns, servers
from harness.load import complaint
from harness.process import Process

LISTEN, ORIGIN = "127.0.0.1:8101", "127.0.0.1:8001"
PORT = 8101


class Moved:
    """What lazy mode did in a case."""

    def __init__(self, env):
        self._env = env
        self._before = env.counters()

    def check(self, case):
        modes.LAZY.check_moved(self._env, case, self._before)


def exact(case, load, timeout=180):
    result = load.result(timeout)
    case.equal((result["errors"], result["mismatches"]), (0, 0), complaint(result))
    case.check(result["exact"] > 0, "there was no traffic")


def nothing_left(env, case):
    if env.with_libra:
        case.equal(lazy.settle(), {}, "left behind")


def sizes(env, tap):
    for program, config in servers.PROXIES:
        with tap.case(f"{program} {config}: bodies of every size") as case:
            moved = Moved(env)
            with env.proxy(program, config, LISTEN, ORIGIN, mode=None, preload=True):
                for name, count in (("1k", 50), ("16k", 50), ("64k", 50), ("256k", 20), ("1m", 10)):
                    exact(case, env.load(LISTEN, name, "-c", 8, "-n", count))
            if config != "a" or program != "nginx":  # its buffers are smaller than the threshold
                moved.check(case)
            nothing_left(env, case)


def sendfile_origin(env, tap):
    """Pages of the origin's page cache are not kept, they are copied at once."""
    with tap.case("an origin with sendfile on") as case, env.origin("127.0.0.1:8002"):
        before = env.counters()
        with env.proxy("nginx", "b", LISTEN, "127.0.0.1:8002", mode=None, preload=True):
            for name, count in (("64k", 40), ("1m", 10)):
                exact(case, env.load(LISTEN, name, "-c", 8, "-n", count))
        if env.with_libra:
            case.check(lazy.moved(before, env.counters()).get("fallback_lazy_shared_frag"),
                       "fallback_lazy_shared_frag did not move")
        nothing_left(env, case)


def restless(case, load, turn, seconds=0.7):
    """Calls turn() now and then while there is traffic."""
    turns = 0
    while load.running():
        time.sleep(seconds)
        turn()
        turns += 1
    exact(case, load)
    case.check(turns > 2, "there was no time for it")


def reload_nginx(env, tap):
    with tap.case("nginx is reloaded (HUP) under load") as case:
        moved = Moved(env)
        with env.proxy("nginx", "b", LISTEN, ORIGIN, mode=None, preload=True) as proxy:
            load = env.load(LISTEN, "256k", "-c", 8, "-d", 5 if env.args.quick else 12, "--close")
            restless(case, load, lambda: os.kill(proxy.pid, signal.SIGHUP))
        moved.check(case)
        nothing_left(env, case)


def reload_haproxy(env, tap):
    with tap.case("HAProxy is reloaded (USR2) under load") as case:
        moved = Moved(env)
        directory = env.path("master-worker")
        os.makedirs(directory)
        conf = os.path.join(directory, "haproxy.cfg")
        with open(conf, "w", encoding="ascii") as out:
            out.write(servers.HAPROXY.format(listen=LISTEN, upstream=ORIGIN, connections=512,
                                             workers=servers.workers,
                                             tuning=servers.HAPROXY_CONFIGS["b"]))
        with servers.ready(Process("haproxy -W", [servers.find_program("haproxy"), "-W", "-q",
                                                  "-f", conf],
                                   os.path.join(directory, "log"), env.preload()), PORT) as proxy:
            load = env.load(LISTEN, "256k", "-c", 8, "-d", 5 if env.args.quick else 12, "--close")
            restless(case, load, lambda: os.kill(proxy.pid, signal.SIGUSR2), 1.5)
        moved.check(case)
        nothing_left(env, case)


@contextlib.contextmanager
def nginx_daemon(env):
    """nginx as a daemon, which can be replaced by another binary; gives its pid file."""
    directory = env.path("daemon")
    pid_file = os.path.join(directory, "pid")
    with servers.start_nginx("nginx", directory, servers.NGINX_PROXY.format(
            listen=LISTEN, upstream=ORIGIN, directives=servers.NGINX_CONFIGS["b"]), PORT,
            environment=env.preload(), daemon=True):
        try:
            yield pid_file
        finally:
            for path in (pid_file, f"{pid_file}.oldbin"):
                with contextlib.suppress(ProcessLookupError):
                    if pid := read_pid(path):
                        os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not os.path.exists(pid_file))


def read_pid(path):
    """None: it is not there, or not written yet."""
    try:
        with open(path, encoding="ascii") as text:
            return int(text.read())
    except (FileNotFoundError, ValueError):
        return None


def wait_until(true, timeout=30):
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def upgrade_nginx(env, tap):
    with tap.case("nginx is upgraded (USR2, QUIT) under load") as case:
        moved = Moved(env)
        with nginx_daemon(env) as pid_file:
            load = env.load(LISTEN, "256k", "-c", 8, "-d", 8 if env.args.quick else 15, "--close")
            time.sleep(1)
            old = read_pid(pid_file)
            os.kill(old, signal.SIGUSR2)
            case.check(wait_until(lambda: os.path.exists(f"{pid_file}.oldbin") and
                                  read_pid(pid_file) not in (None, old)),
                       "there is no new binary")
            time.sleep(1)  # both serve
            os.kill(old, signal.SIGQUIT)
            case.check(wait_until(lambda: not os.path.exists(f"{pid_file}.oldbin"), 60),
                       "the old binary does not end")
            case.check(load.running(), "the load was over too early")
            exact(case, load)
            exact(case, env.load(LISTEN, "1m", "-c", 4, "-n", 8))  # of the new one alone
        moved.check(case)
        nothing_left(env, case)


def body(env, tap):
    with env.origin(ORIGIN, sendfile=False), lazy.always(env):
        sizes(env, tap)
        sendfile_origin(env, tap)
        reload_nginx(env, tap)
        reload_haproxy(env, tap)
        upgrade_nginx(env, tap)
    for subject in (test_vanish, test_reset, test_kill):
        with netns.another():
            subject.run(env, tap, modes.LAZY)


if __name__ == "__main__":
    vmtest.main("lazy_life", __doc__, body, ["1k", "16k", "64k", "256k", "1m", "10m"],
                daemon=False)
