# SPDX-License-Identifier: GPL-2.0-only
"""The ways to keep payload in the kernel, for tests of what holds in all of them."""

import contextlib

from . import lazy, libra


class Token:
    """Proxies that a policy attaches."""

    name = "token"
    sendfile = True
    # What is in the kernel now, and what was ever sent from there.
    held, sent = "anchors_live", "tx_redeemed_bytes"
    # By how much a limit may be exceeded.
    excess = 0

    @staticmethod
    @contextlib.contextmanager
    def ready(_env):
        yield

    @staticmethod
    def proxy(env, program, config, listen, origin, **more):
        return env.proxy(program, config, listen, origin, **more)

    @staticmethod
    def check_moved(env, case, before, received=None):
        """received: as for check_anchored()."""
        env.check_anchored(case, before, received)

    @staticmethod
    def check_released(case, _program):
        """The proxy lives, and may have idle connections, but no payload: each message had
        begun to arrive, so it ended with its client, long before any time to live."""
        case.equal(libra.wait_idle(10, libra.ANCHOR_GAUGES), {},
                   "left behind while the proxy lives")

    @staticmethod
    def check_idle(env, case, allowed=()):
        env.check_idle(case, allowed)


class Lazy:
    """Proxies in payload memory, without a policy."""

    name = "lazy"
    sendfile = False  # of an origin: what may still be written is copied at once
    held, sent = "lazy_pages", "lazy_tx_bytes"
    # What the last run pins that was received before the limit is noticed.
    excess = 256 << 10

    @staticmethod
    def ready(env):
        return lazy.always(env)

    @staticmethod
    def proxy(env, program, config, listen, origin, options=(), mode=None, **more):
        """options, mode: of a policy, which there is none of."""
        del options, mode
        return env.proxy(program, config, listen, origin, mode=None, preload=True, **more)

    @staticmethod
    def check_moved(env, case, before, received=None):
        """received: of no use, what HAProxy copies in its own memory is not lazy."""
        del received
        if not env.with_libra:
            return
        moved = lazy.moved(before, env.counters())
        for name in ("lazy_rx_bytes", "lazy_tx_bytes"):
            case.check(moved.get(name), f"nothing was lazy: {name} did not move")

    @staticmethod
    def check_released(case, program):
        """What nginx frees is soon given back; HAProxy keeps buffers, with what is in them."""
        if program == "nginx":
            case.equal(libra.wait_idle(10, ("lazy_pages", "anchor_charge_live")), {},
                       "left behind while the proxy lives")

    @staticmethod
    def check_idle(env, case, allowed=()):
        """allowed: nothing ever has to fail-stop here."""
        del allowed
        if env.with_libra:
            case.equal(lazy.settle(), {}, "left behind")
            case.equal(env.counters()["fail_stops"], 0, "fail-stops")


TOKEN, LAZY = Token(), Lazy()
