# SPDX-License-Identifier: GPL-2.0-only
"""Libra on the proxy's host: the module, librad while it is wanted, and the counters.

librad runs only while a system is measured that needs it. Without a parser nothing of
Libra is live, so what is compared with it does not pay for it.
"""

import contextlib
import os
import time

from harness.libra import GAUGES, SHORT_TTL_MS

from .error import BenchError

PARSERS = ("http1", "tls")


class Libra:
    def __init__(self, host, build, module=None):
        self.host = host
        self.build = build
        self.module = module
        self.librad = None      # its process, while it runs
        self._loaded_by_us = False

    def __enter__(self):
        if self.host.call("counters") is None:
            self._load()
        return self

    def __exit__(self, *_):
        if self._loaded_by_us:
            end = time.monotonic() + 20
            while (run := self.host.run(["rmmod", "libra"], check=False))["status"] != 0:
                if time.monotonic() > end:
                    raise BenchError(f"rmmod libra: {run['stderr'].strip()}")
                time.sleep(0.2)

    def _load(self):
        command = ["insmod", self.module] if self.module else ["modprobe", "libra"]
        run = self.host.run(command, check=False)
        if run["status"] != 0 or self.host.call("counters") is None:
            said = run["stderr"].strip().splitlines() or [" ".join(command)]
            raise BenchError(f"Libra is not available on kernel {self.host.uname[2]} ({said[-1]}): "
                             "use --where vm or --libra-ko FILE, or leave it out with --systems")
        self._loaded_by_us = True

    def counters(self):
        return self.host.call("counters") or {}

    @contextlib.contextmanager
    def attached(self, parser, listen, upstream):
        """librad, and a policy for both sides of one proxy."""
        socket = self.host.path("librad.sock")
        log = self.host.path("librad.log")
        pid = self.host.call("start", log=log, argv=[
            os.path.join(self.build, "userspace/librad"), "--socket", socket, "--foreground",
            *(f"--parser={name}" for name in PARSERS)])
        self.librad = pid
        try:
            control = [os.path.join(self.build, "tools/libractl"), "--socket", socket]
            self._wait_ready(pid, control, log)
            # Uploads are measured as well: no request is sent twice here.
            self.host.run([*control, "attach", "--parser", parser, "--domain", "1",
                           "--mode", "on", "--anchor-requests",
                           "--listen", listen, "--upstream", upstream])
            yield
        finally:
            self.librad = None
            self.host.call("stop", pid=pid)

    def _wait_ready(self, pid, control, log):
        end = time.monotonic() + 120
        while self.host.run([*control, "status"], check=False)["status"] != 0:
            if not self.host.call("alive", pid=pid):
                said = self.host.read(log).strip().splitlines()[-1:]
                raise BenchError(f"librad ended at once: {' '.join(said)}")
            if time.monotonic() > end:
                raise BenchError("librad does not answer")
            time.sleep(0.05)

    def settle(self, timeout=20):
        """What is still attached or anchored once all is over; ought to be nothing."""
        path = "/proc/sys/net/libra/anchor_ttl_ms"
        old = self.host.read(path)
        self.host.write(path, str(SHORT_TTL_MS))
        try:
            end = time.monotonic() + timeout
            while True:
                now = self.counters()
                left = {name: now[name] for name in GAUGES if now.get(name)}
                if not left or time.monotonic() > end:
                    return left
                time.sleep(0.05)
        finally:
            self.host.write(path, old)
