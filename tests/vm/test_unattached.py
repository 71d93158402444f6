#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What no policy names is left alone: traffic flows, and every counter stays 0."""

import vmtest
from harness.load import complaint


def body(env, tap):
    listen, origin = "127.0.0.1:8101", "127.0.0.1:8001"
    with env.origin(origin), env.proxy("nginx", "b", listen, origin, mode=None):
        def traffic(case):
            result = env.load(listen, "64k", "-c", 16, "-n", 200).result()
            case.equal(result["exact"], 200, f"exact, {complaint(result)}")

        with tap.case("librad without a policy") as case:
            traffic(case)
            silent(env, case)
        with tap.case("a policy for others") as case:
            if env.daemon:
                with env.daemon.policy("127.0.0.1:9101", "127.0.0.2:8001", 1):
                    traffic(case)
            else:
                traffic(case)
            silent(env, case)
        for mode, what in (("off", "an exception (mode off) for them"),
                           ("lazy", "lazy mode for them, without payload memory")):
            with tap.case(what) as case:
                if env.daemon:
                    with env.daemon.policy(listen, origin, 1, mode=mode):
                        traffic(case)
                else:
                    traffic(case)
                silent(env, case)


def silent(env, case):
    case.equal({name: value for name, value in env.counters().items() if value}, {},
               "counters that moved")


if __name__ == "__main__":
    vmtest.main("unattached", __doc__, body, ["64k"])
