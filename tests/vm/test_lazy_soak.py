#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Messages of every shape, 0 to 4 MB, through all kinds of proxies in payload memory, none of
which knows of it: every byte is compared. What each of them gains is told, see KNOWN_ISSUES.md.

A failed message shows the seed and its number.
"""

import contextlib
import dataclasses
import functools
import os
import typing

import vmtest
from harness import lazy, more_proxies, netns, servers, soak
from harness.load import complaint

PORT, ORIGIN = 8101, 8001
LISTEN = f"127.0.0.1:{PORT}"


@dataclasses.dataclass(frozen=True)
class Subject:
    """start(directory, port, upstream, environment) starts a proxy.

    least: the share of all bytes that has to leave from the kernel, well below what is usual;
    half of the messages come by sendfile(), of which on one host nothing is kept.
    why: the counter that says why nothing can be lazy; "": none is needed.
    none: nothing may be lazy. smallest: the smallest block in payload memory.
    options: of libra-soak. more: a case of its own, with a proxy of its own."""
    name: str
    start: typing.Callable
    least: float = 0
    why: str = ""
    none: bool = False
    smallest: int | None = None
    options: tuple = ()
    more: typing.Callable = None


def usual(program, config):
    """One of the proxies of the other tests. nginx's own buffer for uploads, of 8 KB, would be
    too small to be payload memory."""
    extra = "client_max_body_size 0; client_body_buffer_size 64k;" if program == "nginx" else ""

    def start(directory, port, upstream, environment):
        return servers.start_proxy(directory, program, config, f"127.0.0.1:{port}",
                                   f"127.0.0.1:{upstream}", extra, environment=environment)
    return start


def cached(env, tap, subject):
    """What is in Varnish's cache is lazy, and is sent from there again and again. Its own Varnish,
    so that nothing was learned from messages of every shape. Varnish copies what comes with the
    header out of a buffer of 32 KB and reads the rest at once, so half of the first response or all
    of it is copied; that is another one."""
    with tap.case("varnish: hits in its cache") as case, for_everybody(env), \
            subject.start(env.path("varnish-hits"), PORT, ORIGIN, env.preload()), \
            env.origin(f"127.0.0.1:{ORIGIN}", sendfile=False):
        before = env.counters()
        for name, count in (("256k", 1), ("1m", 1), ("1m", 24)):
            first, before = before, env.counters()
            result = env.load(LISTEN, name, "-c", 4, "-n", count).result()
            case.equal(result["exact"], count, f"exact ({complaint(result)})")
        after = env.counters()
        if env.with_libra:
            received = after["lazy_rx_bytes"] - before["lazy_rx_bytes"]
            case.equal(received, 0, "lazy bytes received for hits")
            kept = before["lazy_rx_bytes"] - first["lazy_rx_bytes"]
            sent = after["lazy_tx_bytes"] - before["lazy_tx_bytes"]
            print(f"# of 1 MB {kept} bytes are lazy; 24 hits sent {sent} lazy bytes; the first: "
                  + ", ".join(f"{counter} {value}"
                              for counter, value in lazy.moved(first, before).items()), flush=True)
            case.check(kept > 900_000, f"only {kept} bytes of the object are lazy")
            case.check(sent >= 24 * kept * 0.9, f"24 hits sent {sent} bytes of {kept}")


def subjects(env):
    # What a parser of chunks does not know is refused, with or without Libra.
    plain = ("--plain-chunks",)
    varnish = more_proxies.start_varnish
    return (
        Subject("nginx a", usual("nginx", "a"), smallest=4096, least=0.4),
        Subject("nginx b", usual("nginx", "b"), least=0.4),
        Subject("nginx c", usual("nginx", "c"), least=0.4),
        Subject("haproxy a", usual("haproxy", "a"), least=0.25),
        Subject("haproxy b", usual("haproxy", "b"), least=0.05),
        Subject("varnish", functools.partial(varnish, lock=False), least=0.3, options=plain,
                more=cached),
        Subject("varnish, memory locked", varnish, why="fallback_lazy_locked", none=True,
                options=plain),
        Subject("lighttpd", more_proxies.start_lighttpd, least=0.3),
        Subject("apache", more_proxies.start_apache),
        Subject("squid", more_proxies.start_squid),
        Subject("go", functools.partial(more_proxies.start_go, env.build), none=True),
    )


def messages(env, case, subject, count):
    """Through the one proxy; says what was lazy."""
    args = env.args
    before = env.counters()
    result, said = soak.run(env, "--messages", count, "--seed", args.seed, "--target", PORT,
                            "--origin", ORIGIN, *subject.options,
                            *(["--no-sendfile"] if args.no_sendfile else []))
    for line in said:
        case.check(False, line)
    case.equal(result["messages"], count, "messages")
    if not env.with_libra:
        return
    moved = lazy.moved(before, env.counters())
    share = {name: moved.get(f"lazy_{name}_bytes", 0) / max(1, result["bytes"])
             for name in ("rx", "tx")}
    print(f"# {subject.name}: {result['bytes']} bytes in {result['seconds']:.1f} s, "
          f"{share['rx']:.0%} left in the kernel, {share['tx']:.0%} sent from there; "
          + ", ".join(f"{name} {value}" for name, value in moved.items()), flush=True)
    case.check(share["tx"] >= subject.least, f"only {share['tx']:.1%} were sent from the kernel")
    if subject.why:
        case.check(moved.get(subject.why), f"{subject.why} did not move")
    if subject.none:
        case.equal(moved.get("lazy_rx_bytes", 0), 0, "lazy bytes")


@contextlib.contextmanager
def for_everybody(env):
    """The device, as a rule of udev gives it to a group: Varnish drops its rights before it
    needs the first large block."""
    if not env.with_libra:
        yield
        return
    mode = os.stat("/dev/libra").st_mode
    os.chmod("/dev/libra", 0o666)
    try:
        yield
    finally:
        os.chmod("/dev/libra", mode)


def body(env, tap):
    os.chmod(env.directory, 0o711)  # for those who drop their rights
    chosen = [subject for subject in subjects(env) if env.args.only in subject.name]
    for subject in chosen:
        with netns.another():
            with contextlib.ExitStack() as stack:
                with tap.case(f"{subject.name}: messages of every shape") as case:
                    stack.enter_context(for_everybody(env))
                    process = stack.enter_context(subject.start(
                        env.path(subject.name.replace(" ", "-")), PORT, ORIGIN,
                        env.preload(subject.smallest)))
                    messages(env, case, subject, env.args.messages // len(chosen))
                    case.check(process.alive(), "the proxy died")
            if subject.more:
                subject.more(env, tap, subject)
            if env.with_libra:
                with tap.case(f"{subject.name}: nothing is left of it") as case:
                    case.equal(lazy.settle(), {}, "left behind")


def add_options(parser):
    parser.add_argument("--messages", type=int, default=900,
                        help="how many, through all of them (default: 900)")
    parser.add_argument("--seed", type=int, default=1, help="of sizes, shapes and bytes")
    parser.add_argument("--no-sendfile", action="store_true", help="by the origin, as over a wire")
    parser.add_argument("--only", metavar="TEXT", default="", help="those with this in their name")


if __name__ == "__main__":
    vmtest.main("lazy_soak", __doc__, body, ["256k", "1m"], daemon=False, add_options=add_options)
