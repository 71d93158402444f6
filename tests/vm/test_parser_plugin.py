#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A parser that librad has never heard of: built from what is installed, loaded, replaced
under load and unloaded, between redis-server and its clients."""

import json
import os
import socket
import time

import vmtest
from harness import libra
from harness.plugin import BESIDE, Benchmark, Cli, Workshop, redis_server, tcp_proxy

LISTEN, UPSTREAM = 8379, 8380
MEGABYTE = 1 << 20
ENOUGH = 0.9


REFUSED = """
char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/segment")
int BPF_PROG(odd_entry, struct libra_ctx *lctx)
{
	lctx->avail = 0;
	return LIBRA_PASS;
}

LIBRA_PARSER(odd, "1", 1, odd_entry);
"""


class Counted:
    """What the kernel's counters moved since."""

    def __init__(self):
        self._before = libra.counters()

    def __getitem__(self, name):
        return libra.counters()[name] - self._before[name]


def policy(env):
    return env.daemon.policy(f"127.0.0.1:{LISTEN}", f"127.0.0.1:{UPSTREAM}", 6, parser="redis",
                             options=("--anchor-requests",))


def parsers(env):
    """Name and version of each."""
    answer = json.loads(env.daemon.ctl("--json", "parser", "list").stdout)
    return {parser["name"]: parser["version"] for parser in answer["parsers"]}


def refusal(env, *arguments):
    run = env.daemon.ctl("parser", *arguments, check=False)
    return (run.returncode, run.stderr.strip().removeprefix("libractl: "))


def exact(case, count):
    """1 MB in and out, by clients that look at each byte."""
    cli, counted = Cli(LISTEN), Counted()
    for turn in range(count):
        value = os.urandom(MEGABYTE // 2).hex().encode()
        case.equal(cli.set("key", value), b"OK\n", f"SET {turn}")
        case.check(cli.get("key") == value, f"GET {turn}: other bytes")
        case.check(Cli(UPSTREAM, BESIDE).get("key") == value,
                   f"GET {turn} from the server: other bytes")
    payload, anchored = counted["rx_payload_bytes"], counted["rx_anchored_bytes"]
    print(f"# {anchored} of {payload} payload bytes anchored ({anchored / max(payload, 1):.3f})",
          flush=True)
    case.check(payload >= 2 * count * MEGABYTE, f"payload: {payload} bytes")
    case.check(anchored > ENOUGH * payload, f"anchored: {anchored} of {payload}")
    case.equal(counted["fail_stops"], 0, "fail-stops")


def hostile(env, tap, shop):
    """What is no parser is refused, with its reason, and nothing changes."""
    good = shop.redis()
    with open(good, "rb") as file:
        whole = file.read()

    def spoilt(name, data):
        path = os.path.join(env.directory, name)
        with open(path, "wb") as out:
            out.write(data)
        return path

    before = parsers(env)
    info = whole.index(b"redis\0\0\0\0\0\0\0\0\0\0\0" + b"1.0\0")
    cases = [
        ("no file", "/nonexistent", "No such file"),
        ("a folder", env.directory, "not a regular file"),
        ("a text", spoilt("text", b"hello"), "this is no ELF object"),
        ("a program", "/bin/true", "this is no BPF object"),
        ("half an object", spoilt("half", whole[:len(whole) // 2]), "damaged or cut short"),
        ("another ABI", spoilt("abi", whole[:info - 8] + b"\x09\0\0\0" + whole[info - 4:]),
         "built for ABI 9; this librad supports 1"),
        ("two names", spoilt("name", whole[:info] + b"rodis" + whole[info + 5:]),
         "does not hold the one parser"),
        ("no parser", os.path.join(env.build, "bpf/policy.bpf.o"), "this is no parser"),
        ("broken BTF", spoilt("btf", whole.replace(b"\x9f\xeb\x01", b"\x9f\xeb\x63")), "BTF"),
        ("a name of our own", os.path.join(env.build, "bpf/raw.bpf.o"),
         "parser raw is loaded already; replace it"),
        ("other programs", shop.redis("1.1", extra=(
            '\nSEC("tp_btf/inet_sock_set_state")\nint odd(void *ctx)\n{\n\treturn 0;\n}\n')),
         "program odd is not one of a parser's"),
        ("two struct_ops", shop.redis("1.2", extra=(
            '\nSEC("?.struct_ops.link")\nstruct libra_parser_ops two = {\n'
            "\t.segment = (void *)redis_entry,\n};\n")), "it holds 2 struct_ops"),
        ("what the verifier refuses", shop.of("refused", REFUSED),
         "the verifier says: only seg_len, reason and scratch"),
    ]
    for name, path, why in cases:
        with tap.case(f"not loaded: {name}") as case:
            status, said = refusal(env, "load", path)
            print(f"# {said}", flush=True)
            case.equal(status, 1, "exit status")
            case.check(why in said, f"said: {said}")
            case.equal(len(said.splitlines()), 1, "lines of the reason")
            case.equal(parsers(env), before, "parsers")
    return good


def life(env, tap, shop, first):
    second = shop.redis("2.0")
    third = shop.redis("3.0", keeps=2)
    with tap.case("loaded") as case:
        case.equal(env.daemon.ctl("parser", "load", first).stdout, "redis 1.0\n", "libractl says")
        case.equal(parsers(env), {"raw": "1", "redis": "1.0"}, "parsers")
        case.check("is loaded already" in refusal(env, "load", first)[1], "loaded twice")

    with redis_server(env, UPSTREAM), tcp_proxy(env, f"127.0.0.1:{LISTEN}",
                                                f"127.0.0.1:{UPSTREAM}"):
        with policy(env):
            with tap.case("SET and GET of 1 MB are exact, and stay in the kernel") as case:
                exact(case, 3 if env.args.quick else 10)
            with tap.case("redis-benchmark") as case:
                counted = Counted()
                rows, complaints = Benchmark(LISTEN, "-t", "ping,set,get,lpush,lrange_100,mset",
                                             "-n", 500, "-c", 8, "-d", 100).result()
                case.equal(complaints, [], "complaints")
                case.check(len(rows) >= 6, f"tests: {rows}")
                case.equal(counted["fail_stops"], 0, "fail-stops")
            with tap.case("replaced under load, without an error") as case:
                replaced(env, case, second, first)
            with tap.case("not replaced by one that keeps something else") as case, \
                    socket.create_connection(("127.0.0.1", LISTEN)) as held:
                held.sendall(b"PING\r\n")
                case.equal(held.recv(100), b"+PONG\r\n", "PING")
                status, said = refusal(env, "replace", "redis", third)
                case.equal(status, 1, "exit status")
                case.check("cannot go on with them" in said, f"said: {said}")
                held.sendall(b"PING\r\n")
                case.equal(held.recv(100), b"+PONG\r\n", "PING")
            with tap.case("a policy keeps it") as case:
                status, said = refusal(env, "unload", "redis")
                case.equal(status, 1, "exit status")
                case.check("policies use parser redis" in said, f"said: {said}")
        with tap.case("replaced by one that keeps something else, when nobody is left") as case:
            end = time.monotonic() + 20
            while libra.counters()["attached_sockets"] and time.monotonic() < end:
                time.sleep(0.1)
            case.equal(env.daemon.ctl("parser", "replace", "redis", third).stdout, "redis 3.0\n",
                       "libractl says")
            with policy(env):
                exact(case, 1)

    with tap.case("unloaded") as case:
        env.daemon.ctl("parser", "unload", "redis")
        case.equal(parsers(env), {"raw": "1"}, "parsers")
        case.check("unknown parser 'redis'" in env.daemon.ctl(
            "attach", "--parser", "redis", "--listen", "*:1", "--domain", "6", "--mode", "token",
            check=False).stderr, "a policy can still name it")
        case.equal(libra.settle(), {}, "left behind")


def replaced(env, case, *paths):
    """By one and the other, again and again, while strings of 64 KB are on their way."""
    counted, turns, said = Counted(), 0, []
    load = Benchmark(LISTEN, "-t", "set,get", "-n", 500 if env.args.quick else 10000, "-c", 8,
                     "-d", 65536)
    while load.running():
        run = env.daemon.ctl("parser", "replace", "redis", paths[turns % len(paths)], check=False)
        if run.returncode:
            said.append(run.stderr.strip())
        turns += 1
    rows, complaints = load.result()
    print(f"# {turns} times while {counted['anchors_redeemed']} anchors were sent", flush=True)
    case.equal(said, [], "refused")
    case.equal(complaints, [], "redis-benchmark's complaints")
    case.equal(sorted(rows), ["GET", "SET"], "tests")
    case.check(turns >= 3, f"replaced {turns} times")
    case.check(counted["anchors_redeemed"] > 0, "nothing was anchored")
    for name in ("fail_stops", "fallback_parser_gone", "fallback_parser_bad_answer"):
        case.equal(counted[name], 0, name)


def shown(env, tap, first):
    """A connection that is not understood, and why, in the parser's words."""
    env.daemon.ctl("parser", "load", first)
    with tap.case("status says why a connection passes") as case, \
            redis_server(env, UPSTREAM), \
            tcp_proxy(env, f"127.0.0.1:{LISTEN}", f"127.0.0.1:{UPSTREAM}"), policy(env), \
            socket.create_connection(("127.0.0.1", LISTEN)) as odd:
        # To Redis a command that it does not know; nothing that the parser would read.
        odd.sendall(b"\x01\r\n")
        case.check(odd.recv(100).startswith(b"-ERR unknown command"), "Redis understood it")
        said = [(connection["role"], connection["said"])
                for domain in env.daemon.status()["passing"] for connection in domain["oldest"]]
        case.equal(said, [("upstream", "foreign")], "passing, and why")
        text = env.daemon.ctl("status").stdout
        case.check("the stream is of another protocol" in text, text)
    env.daemon.ctl("parser", "unload", "redis")


def dies(env, tap):
    """After SIGKILL the parsers go before what attaches: their links have higher numbers."""
    with tap.case("links of parsers come after those of the attach program") as case:
        kinds = {}
        folder = f"/proc/{env.daemon.process.pid}/fdinfo"
        for fd in sorted(map(int, os.listdir(folder))):
            with open(f"{folder}/{fd}", encoding="ascii") as info:
                for line in info:
                    if line.startswith("link_type:"):
                        kinds.setdefault(line.split()[1], []).append(fd)
        print(f"# {kinds}", flush=True)
        parsers = kinds.pop("struct_ops", [])
        others = [fd for fds in kinds.values() for fd in fds]
        case.check(parsers and others and max(others) < min(parsers),
                   f"descriptors: {parsers} of parsers, {kinds}")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    shop = Workshop(env.build, env.directory)
    first = hostile(env, tap, shop)
    life(env, tap, shop, first)
    env.daemon.ctl("parser", "load", first)
    dies(env, tap)
    env.daemon.ctl("parser", "unload", "redis")
    shown(env, tap, first)


if __name__ == "__main__":
    vmtest.main("parser-plugin", __doc__, body, parsers=("raw",))
