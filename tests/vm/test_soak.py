#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Messages of every shape, 0 to 4 MB, through nginx and HAProxy: every byte is compared.

A failed message shows the seed and its number.
"""

import contextlib

import vmtest
from harness import libra, servers, soak

# Default nginx writes a long request body to a file: not to be anchored.
BUFFERS_REQUESTS = [("nginx", "a")]
LEAST = 0.9


def add_options(parser):
    parser.add_argument("--messages", type=int, help="how many (default: 5000)", default=5000)
    parser.add_argument("--seed", type=int, default=1, help="of sizes, shapes and bytes")


def proxies(env, stack):
    """All of them attached, with an origin's port for each: what a policy tells them by."""
    ports = []
    for n, (program, config) in enumerate(servers.PROXIES):
        listen, origin = 8101 + n, 8001 + n
        extra = "client_max_body_size 0;" if program == "nginx" else ""
        options = [] if (program, config) in BUFFERS_REQUESTS else ["--anchor-requests"]
        stack.enter_context(env.proxy(program, config, f"127.0.0.1:{listen}",
                                      f"127.0.0.1:{origin}", extra=extra, options=options))
        ports += ["--target", listen, "--origin", origin]
    return ports


def body(env, tap):
    args = env.args
    before = env.counters()
    with contextlib.ExitStack() as stack:
        ports = proxies(env, stack)
        with tap.case(f"{args.messages} messages, seed {args.seed}") as case:
            result, said = soak.run(env, "--messages", args.messages, "--seed", args.seed, *ports)
            for line in said:
                case.check(False, line)
            case.equal(result["messages"], args.messages, "messages")
            env.check_anchored(case, before)
    after = env.counters()
    left = libra.settle() if env.with_libra else {}
    result.update(leaks=len(left), fail_stops=after["fail_stops"] - before["fail_stops"])
    share = (after["tx_redeemed_bytes"] - before["tx_redeemed_bytes"]) / max(1, result["bytes"])
    print(f"# soak: {', '.join(f'{name} {value}' for name, value in result.items())}, "
          f"{share:.0%} of the bytes redeemed from anchors", flush=True)
    if env.with_libra:
        # A fifth of them goes through each proxy, so this is most of what each had.
        with tap.case(f"{LEAST:.0%} of the bytes were redeemed from anchors") as case:
            case.check(share >= LEAST, f"only {share:.1%}")
    with tap.case("no fail-stop, and nothing is left") as case:
        case.equal(result["fail_stops"], 0, "fail-stops")
        case.equal(left, {}, "left behind")


if __name__ == "__main__":
    vmtest.main("soak", __doc__, body, add_options=add_options)
