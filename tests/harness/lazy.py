# SPDX-License-Identifier: GPL-2.0-only
"""Payload memory: programs that get it by libra-malloc.so, and its counters."""

import contextlib
import os

from . import libra

# What must be zero when no process has payload memory any more.
GAUGES = ("payload_processes", "payload_pages", "lazy_pages", "anchor_charge_live")


def preload(build, smallest=None):
    """What a program's environment needs; smallest: of the blocks that are put there."""
    library = os.path.join(build, "userspace/malloc/libra-malloc.so")
    if not os.path.exists(library):
        raise RuntimeError(f"{library} is missing: build it first (cmake --build {build})")
    environment = {"LD_PRELOAD": library}
    if smallest:
        environment["LIBRA_MALLOC_MIN"] = str(smallest)
    return environment


def always(env):
    """What is looked at is received lazily again and again: that is what is to be tested."""
    return _switched_off(env, "lazy_feedback")


def untidy(env):
    """What is kept for nothing is not given back meanwhile, which would move counters."""
    return _switched_off(env, "lazy_tidy_ms")


def _switched_off(env, name):
    return libra.sysctl(name, 0) if env.with_libra else contextlib.nullcontext()


def moved(before, after):
    """The counters of lazy mode that are not what they were."""
    return {name: after[name] - before[name] for name in after
            if name.startswith(("lazy_", "payload_", "fallback_lazy_"))
            and after[name] != before[name]}


def settle(timeout=20):
    """What is left of payload memory when everybody had the time to go."""
    return libra.wait_idle(timeout, GAUGES)
