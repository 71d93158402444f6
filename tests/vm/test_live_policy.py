#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Policies and librad come and go while proxies run: nobody is ever sent a token."""

import contextlib
import time

import vmtest
from harness import bpf, libra, modes
from harness.load import complaint
from harness.raw_http import RawClient
from harness.scripted_origin import ScriptedOrigin

LISTEN, ORIGIN = "127.0.0.1:8101", "127.0.0.1:8001"
PROXIES = ("nginx", "haproxy")


class Scene:
    """A proxy that nothing is attached to, a librad, and what moved since."""

    def __init__(self, env, daemon):
        self.env = env
        self.daemon = daemon
        self._before = libra.counters()
        with open(env.reference("256k"), "rb") as data:
            self._data = data.read()

    def attach(self, *options):
        return self.daemon.ctl("attach", "--parser", "http1", "--listen", LISTEN, "--upstream",
                               ORIGIN, "--domain", "1", "--mode", "token", *options).stdout.strip()

    def detach(self, policy="--all"):
        self.daemon.ctl("detach", policy)

    def adopted(self):
        return [(rule["role"], rule["adopted"]) for policy in self.daemon.status()["policies"]
                for rule in policy["rules"]]

    def moved(self, name):
        return libra.counters()[name] - self._before[name]


    def load(self, *options):
        return self.env.load(LISTEN, "256k", *options)

    def check_anchors_again(self, case, after):
        """Those that kept it from being so have closed."""
        minted = self.moved("anchors_minted")
        end = time.monotonic() + 10
        while self.moved("anchors_minted") == minted and time.monotonic() < end:
            exact(case, self.load("-c", 4, "-n", 12))
        case.check(self.moved("anchors_minted") > minted, f"nothing is anchored after {after}")

    def echo(self, case, client, what):
        client.send(f"POST /echo HTTP/1.1\nHost: test\nContent-Length: {len(self._data)}",
                    self._data)
        case.check(client.response().body == self._data, f"{what}: not what was sent")

    def get(self, case, client, what):
        response = client.get("/256k")
        case.equal(response.status, 200, f"{what}: status")
        case.check(response.body == self._data, f"{what}: not what the origin sent")


@contextlib.contextmanager
def scene(env, tap, mode, program, name, aborts=False, origin=None):
    with tap.case(f"{mode.name}, {program}: {name}") as case:
        with origin or env.origin(ORIGIN, sendfile=mode.sendfile), \
                mode.proxy(env, program, "b", LISTEN, ORIGIN, mode=None), \
                libra.Daemon(env.build, env.directory) as daemon:
            at = Scene(env, daemon)
            yield case, at
        case.equal(libra.settle(), {}, "left behind")
        if not aborts:
            case.equal(at.moved("fail_stops"), 0, "fail-stops")


def exact(case, *loads, aborts=False):
    """aborts: a connection may end before its answer does, where Libra ended it."""
    results = [load.result() for load in loads]
    for result in results:
        case.equal(result["mismatches"], 0, complaint(result))
        if not aborts:
            case.equal(result["errors"], 0, complaint(result))
    return results


def begins(env, tap, mode, program):
    with scene(env, tap, mode, program, "attached while a client is connected") as (case, at):
        with RawClient(LISTEN) as old:
            at.get(case, old, "before")
            at.attach()
            case.equal(at.adopted(), [("listen", 1), ("upstream", 0)], "adopted")
            for turn in range(3):
                at.get(case, old, f"old connection, request {turn}")
            # Several at a time, so that there are upstream connections of the policy's age.
            exact(case, at.load("-c", 4, "-n", 12))
            case.check(at.moved("fallback_adopted") > 0, "fallback_adopted did not move")
            case.check(at.moved("fallback_egress_pass") > 0, "fallback_egress_pass did not move")
            case.equal(at.moved("anchors_minted"), 0, "anchors while the old one lives")
            at.get(case, old, "old connection, at last")
        at.check_anchors_again(case, "the old one")


def ends(env, tap, mode, program):
    with scene(env, tap, mode, program, "detached while connections are kept") as (case, at):
        policy = at.attach()
        with RawClient(LISTEN) as old:
            at.get(case, old, "attached")
            case.check(at.moved("anchors_minted") > 0, "nothing was anchored")
            at.detach(policy)
            minted = at.moved("anchors_minted")
            for turn in range(3):
                with RawClient(LISTEN) as new:
                    at.get(case, new, f"new connection {turn}")
                at.get(case, old, f"old connection, request {turn}")
            case.equal(at.moved("anchors_minted"), minted, "anchors with those after the detach")


def comes_true(what, timeout=3):
    end = time.monotonic() + timeout
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def short_lived(env, mode):
    """An origin whose connections end soon: those that are older than a detach, or than their
    parser's end, keep nothing any more, and a proxy uses them for as long as it can."""
    return env.origin(ORIGIN, sendfile=mode.sendfile, extra="keepalive_requests 8;")


def comes_and_goes(env, tap, mode, program):
    """Every round meets connections of every age, and tokens on their way."""
    seconds = 10 if env.args.quick else 20
    with scene(env, tap, mode, program, "attached and detached again and again",
               origin=short_lived(env, mode)) as (case, at):
        # First of all: a connection that is adopted keeps tokens from flying while it lives.
        at.attach()
        loads = [at.load("-c", 8, "-d", seconds, *options) for options in ((), ("--close",))]
        rounds = anchoring = flying = 0
        while loads[0].running():
            minted = at.moved("anchors_minted")
            anchoring += comes_true(lambda minted=minted: at.moved("anchors_minted") > minted)
            flying += comes_true(lambda: libra.counters()["anchors_live"] > 0)
            at.detach()
            time.sleep(0.1)
            at.attach()
            rounds += 1
        exact(case, *loads)
        print(f"# {rounds} rounds, in {anchoring} something was anchored, {flying} ended with "
              "tokens on their way", flush=True)
        case.check(min(anchoring, flying) >= 2, f"of {rounds} rounds something was anchored in "
                   f"{anchoring}, and tokens were on their way at the end of {flying}")
        case.check(at.moved("fallback_adopted") > 0, "no connection was adopted")


def requests(env, tap, mode, program):
    """Upstream connections that are older than the policy are not sent tokens either."""
    with scene(env, tap, mode, program,
               "attached with requests, while upstreams are connected",
               origin=ScriptedOrigin("127.0.0.1", 8001)) as (case, at):
        with RawClient(LISTEN) as old:
            at.echo(case, old, "before")
            at.attach("--anchor-requests")
            case.equal(at.adopted(), [("listen", 1), ("upstream", 1)], "adopted")
            for turn in range(3):
                at.echo(case, old, f"old connection, request {turn}")
                with RawClient(LISTEN) as new:
                    at.echo(case, new, f"new connection {turn}")
        at.detach()
        with RawClient(LISTEN) as last:
            at.echo(case, last, "after the detach")


def dies(env, tap, mode, program):
    """New clients are not attached any more, old upstream connections still are.

    A killed librad takes the parser with it while tokens are on their way: these
    cost their connections, but nobody is sent one.
    """
    for how, aborts in (("stop", False), ("hang_up", False), ("kill", True)):
        with scene(env, tap, mode, program, f"librad ends under load ({how})",
                   aborts) as (case, at):
            at.attach()
            loads = [at.load("-c", 8, "-d", 5, *options) for options in ((), ("--close",))]
            time.sleep(1)
            end = time.monotonic() + 3      # a slow machine has only begun
            while not at.moved("anchors_minted") and time.monotonic() < end:
                time.sleep(0.1)
            case.check(at.moved("anchors_minted") > 0, "nothing was anchored")
            status = getattr(at.daemon.process, how)()
            if how == "hang_up":
                case.equal(status, 0, "exit status")
            results = exact(case, *loads, aborts=aborts)
            # Counted when the last answer is here, not while more of them may end.
            errors, stopped = sum(result["errors"] for result in results), at.moved("fail_stops")
            case.check(errors <= stopped, f"{errors} connections ended, {stopped} of them by "
                       f"Libra: {'; '.join(map(complaint, results))}")


def returns(env, tap, mode, program):
    """Connections that a former librad attached have no parser any more."""
    with scene(env, tap, mode, program, "librad restarts") as (case, at):
        at.attach()
        with RawClient(LISTEN) as old:
            at.get(case, old, "with the first librad")
            at.daemon.process.stop()
            with libra.Daemon(env.build, env.directory) as at.daemon:
                at.attach()
                minted = at.moved("anchors_minted")
                for turn in range(3):
                    exact(case, at.load("-c", 4, "-n", 12))
                    at.get(case, old, f"old connection, request {turn}")
                case.equal(at.moved("anchors_minted"), minted, "anchors while the old one lives")
                old.close()
                at.check_anchors_again(case, "the old one")


def unattachable(env, tap, mode, program):
    """A connection that cannot be attached, here because the parser is gone, keeps everything
    from being anchored until librad has adopted it."""
    def unattached():
        return int(libra.read_sysctl("unattached"))

    with scene(env, tap, mode, program, "a connection that cannot be attached",
               origin=short_lived(env, mode)) as (case, at):
        at.attach()
        exact(case, at.load("-c", 4, "-n", 12))
        case.check(at.moved("anchors_minted") > 0, "nothing was anchored")
        case.equal(bpf.detach_struct_ops(), 1, "parsers that were taken away from librad")
        with RawClient(LISTEN) as old:
            at.get(case, old, "not attached")
            before = unattached()
            case.check(before > 0, "it was attached")
            time.sleep(3)
            case.check(unattached() >= before, "librad says that it adopted it")
            at.daemon.process.stop()
            with libra.Daemon(env.build, env.directory) as at.daemon:
                at.attach()
                case.check(comes_true(lambda: not unattached(), 20),
                           "another librad does not adopt it")
                minted = at.moved("anchors_minted")
                exact(case, at.load("-c", 4, "-n", 12))
                at.get(case, old, "adopted")
                case.equal(at.moved("anchors_minted"), minted, "anchors while the old one lives")
                old.close()
                at.check_anchors_again(case, "the old one")


SCENES = (begins, ends, comes_and_goes, requests, dies, returns, unattachable)


def run(env, tap, mode, programs=PROXIES, scenes=SCENES):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    for program in programs:
        for play in scenes:
            play(env, tap, mode, program)


def body(env, tap):
    run(env, tap, modes.TOKEN)


if __name__ == "__main__":
    vmtest.main("live-policy", __doc__, body, ["256k"], daemon=False)
