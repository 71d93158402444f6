#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Forwarders like the worst real ones: exact bytes, or an aborted connection.

Each case is one misbehaviour with several seeds; a failed one shows the command
line that repeats it. Nothing may reach the peer of an attached socket that the
standard stack would not have sent.
"""

import contextlib

import vmtest
from harness import hostile, ktls, libra

# What forwards each byte once and unmodified owes the peer all of them.
FAITHFUL = ("plain", "split", "copy", "cut", "full", "more", "delay", "recycle",
            "split,copy,full", "cut,recycle,more")
# What a forwarder may do with whole VPIs: leave them out, move and repeat them.
REARRANGING = ("mix", "leave-out", "swap", "twice", "two-sinks", "vanish",
               "swap,full,recycle", "mix,leave-out,split")
# What breaks the contract of an attachment. Only net.libra.scrub keeps old memory from
# leaving whatever an application does; without it, the marks keep it from being much. All
# others have to do without it.
TAMPERING = ("overwrite", "edit", "insert", "behead", "curtail", "copy,swap,leave-out",
             "chunk,cut,full,mix")
# Of these nobody sees what happens between the marks of an anchor: the peer gets the origin's
# bytes, in their order.
UNSEEN = ("edit", "copy,swap,leave-out")
SHOWN = 5  # failed seeds of a case
PARSERS = {"raw": (*FAITHFUL, *REARRANGING, *TAMPERING),
           "http1": (*FAITHFUL, "chunk", "chunk,copy,split", "chunk,cut,full",
                     *REARRANGING, *TAMPERING)}


def add_options(parser):
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, help="seeds for each case (default: 40, quick: 4)")
    parser.add_argument("--parser", choices=PARSERS, action="append", help="only this one")
    parser.add_argument("--behaviour", action="append", help="only this one")


def noticed(case, name, result):
    """What went wrong has to end in a fail-stop at least; but nobody sees an edit between the
    marks."""
    if name in UNSEEN:
        case.check(result["noticed"] >= result["wrong"], f"noticed: {result['noticed']}, of "
                   f"{result['wrong']} wrong ones")
    else:
        case.equal(result["noticed"], result["wrong"] + result["edited"], "noticed")


def misbehave(env, tap, parser, name, *options):
    runs = env.args.runs or (4 if env.args.quick else 40)
    where = "kTLS, " if "--ktls" in options else ""
    with tap.case(f"{where}{parser}: {name}, {runs} seeds") as case:
        result, said = hostile.run(env, parser, "--seed", env.args.seed, "--runs", runs, *options)
        for line in said[:SHOWN]:
            case.check(False, line)
        case.check(result["exact"] + result["aborted"] + result["vanished"] > 0,
                   "nothing was forwarded")
        if env.with_libra:
            counted = result["counted"]
            case.check(counted["anchors_minted"] > 0, "nothing was anchored")
            if name in FAITHFUL:
                case.check(result["exact"] > result["late"], f"{result['late']} were cut too early")
            noticed(case, name, result)
            if name in TAMPERING:
                print(f"# {result}", flush=True)


def unscrubbed(env, tap, parser, name):
    """What breaks the contract may send old memory then, but never a VPI, and is noticed."""
    runs = env.args.runs or (4 if env.args.quick else 40)
    with tap.case(f"{parser}: {name}, not scrubbed, {runs} seeds") as case, \
            libra.sysctl("scrub", 0):
        result, _ = hostile.run(env, parser, "--seed", env.args.seed, "--runs", runs,
                                "--behaviour", name)
        print(f"# {result}", flush=True)
        case.check(result["counted"]["anchors_minted"] > 0, "nothing was anchored")
        case.equal(result["tokens"], 0, "connections that were sent a VPI")
        noticed(case, name, result)


def encrypted(env, tap, parser):
    """The same where kernel TLS encrypts what is sent to clients, and by origins."""
    ktls.prepare()
    for name in env.args.behaviour or PARSERS[parser]:
        with scrub(env, name in TAMPERING):
            misbehave(env, tap, parser, name, "--behaviour", name, "--ktls")
    if not env.args.behaviour:
        with scrub(env, False):
            misbehave(env, tap, parser, "what the seed says", "--some", "--ktls")


def unseen(env, tap):
    """What Libra does not see shows in the counters: anchors that nobody redeemed."""
    with tap.case("an unattached socket, a pipe and a file take what is in memory") as case:
        libra.settle()
        before = env.counters()
        ways, _ = hostile.run(env, "raw", "--unseen")
        left = libra.settle()
        after = env.counters()
        for way in ways:
            print(f"# {way}", flush=True)
            seen = way.pop("way") == "attached"
            case.check((way["native"] == way["bytes"]) == seen, f"{way}")
            case.check((way["tokens"] > 0) != seen and (way["stale"] > 0) != seen, f"{way}")
        case.equal(left, {}, "left behind")
        grown = {name: after[name] - before[name] for name in after}
        lost = grown["anchors_minted"] - grown["anchors_redeemed"]
        case.check(lost >= sum(way["tokens"] > 0 for way in ways) == 3, f"{lost} anchors were lost")
        case.equal(grown["anchors_expired"] + grown["anchors_reclaimed"], lost,
                   "anchors that expired or were reclaimed")


def scrub(env, wanted):
    return libra.sysctl("scrub", int(wanted)) if env.with_libra else contextlib.nullcontext()


def body(env, tap):
    # A domain that loses this many messages would anchor no more.
    patience = libra.sysctl("max_unmet", 4096) if env.with_libra else contextlib.nullcontext()
    with hostile.policies(env), patience:
        for parser in env.args.parser or PARSERS:
            for name in env.args.behaviour or PARSERS[parser]:
                with scrub(env, name in TAMPERING):
                    misbehave(env, tap, parser, name, "--behaviour", name)
                if env.with_libra and name in TAMPERING:
                    unscrubbed(env, tap, parser, name)
            if not env.args.behaviour:
                with scrub(env, False):
                    misbehave(env, tap, parser, "what the seed says", "--some")
        with libra.sysctl("tls", 1) if env.with_libra else contextlib.nullcontext():
            for parser in env.args.parser or PARSERS:
                encrypted(env, tap, parser)
        if env.with_libra:
            with scrub(env, False):
                unseen(env, tap)
    with tap.case("nothing is left of any of them") as case:
        if env.with_libra:
            case.equal(libra.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("hostile", __doc__, body, daemon=False, add_options=add_options)
