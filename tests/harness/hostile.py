# SPDX-License-Identifier: GPL-2.0-only
"""Runs libra-hostile, with the policies that it needs."""

import contextlib
import json
import os
import subprocess

from . import libra
from .process import end_with_parent

PORTS = {"raw": (8101, 8001), "http1": (8102, 8002)}


@contextlib.contextmanager
def policies(env):
    """Attaches libra-hostile's ports, one domain for each parser."""
    if not env.with_libra:
        yield
        return
    # All ends are libra-hostile's.
    with libra.Daemon(env.build, env.directory, tuple(PORTS)) as daemon, \
            libra.sysctl("strangers", 0), contextlib.ExitStack() as stack:
        for domain, (parser, (listen, origin)) in enumerate(PORTS.items(), 1):
            stack.enter_context(daemon.policy(f"127.0.0.1:{listen}", f"127.0.0.1:{origin}",
                                              domain, options=["--anchor-requests"],
                                              parser=parser))
        yield


def run(env, parser, *options, timeout=200):
    """Its summary, and what it said before."""
    binary = os.path.join(env.build, "tests/hostile/libra-hostile")
    if not os.access(binary, os.X_OK):
        raise RuntimeError(f"{binary} is missing: build it first (cmake --build {env.build})")
    listen, origin = PORTS[parser]
    command = [binary, "--parser", parser, "--listen", str(listen), "--origin", str(origin),
               *(() if env.with_libra else ("--plain",)), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          timeout=timeout, preexec_fn=end_with_parent)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"libra-hostile failed: {done.stderr.strip()}")
    *said, summary = done.stdout.splitlines()
    return json.loads(summary), said
