# SPDX-License-Identifier: GPL-2.0-only
"""Libra on the proxy's host: the module, who attaches, and the counters.

librad runs only while a system is measured that needs it. Without a parser, and without
payload memory, nothing of Libra is live, so what is compared with it does not pay for it.
"""

import contextlib
import os
import time

from harness.libra import GAUGES, SHORT_TTL_MS

from .error import BenchError


ATTACH = "bench/programs/libra-bench-attach.so"     # in the build directory
# What must be zero in the end.
LEFT = (*GAUGES, "lazy_pages", "payload_pages", "payload_processes")
C_PARSERS = "/sys/module/libra/parameters/bench_parsers"


def control(host, build, module=None):
    """Who attaches on this kernel."""
    if host.call("exists", path=C_PARSERS):
        return Preloaded(host, build)
    return Libra(host, build, module)


class _Kernel:
    def __init__(self, host, build):
        self.host = host
        self.build = build
        self.librad = None      # its process, while it runs

    def counters(self):
        return self.host.call("counters") or {}

    def settle(self, timeout=20):
        """What is still attached, anchored or mapped once all is over; ought to be nothing."""
        path = "/proc/sys/net/libra/anchor_ttl_ms"
        old = self.host.read(path)
        self.host.write(path, str(SHORT_TTL_MS))
        try:
            end = time.monotonic() + timeout
            while True:
                now = self.counters()
                left = {name: now[name] for name in LEFT if now.get(name)}
                if not left or time.monotonic() > end:
                    return left
                time.sleep(0.05)
        finally:
            self.host.write(path, old)


class Preloaded(_Kernel):
    """A kernel without BPF: its parsers are in C, and the proxy's own process attaches, by
    what is preloaded into it (bench/programs/attach.cpp)."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.quiet()

    @contextlib.contextmanager
    def attached(self, parser, _listen, _upstream, scrub=True):
        """Yields what stands in front of the proxy's command."""
        self.host.write(C_PARSERS, "1")
        yield ["env", f"LD_PRELOAD={os.path.join(self.build, ATTACH)}",
               f"LIBRA_ATTACH_PARSER={parser}", *([] if scrub else ["LIBRA_ATTACH_NO_SCRUB=1"])]

    def quiet(self):
        self.host.write(C_PARSERS, "0")


class Libra(_Kernel):
    """librad, with a policy."""

    def __init__(self, host, build, module=None):
        super().__init__(host, build)
        self.module = module
        self._parser = None     # that it has loaded
        self._loaded_by_us = False

    def __enter__(self):
        if self.host.call("counters") is None:
            self._load()
        return self

    def __exit__(self, *_):
        self.quiet()
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

    @contextlib.contextmanager
    def attached(self, parser, listen, upstream, scrub=True):
        """librad with this parser, and a policy for both sides of one proxy, in front of whose
        command nothing stands. librad stays for the next system that wants the same, see
        quiet()."""
        control = self._start(parser)
        # Uploads are measured as well: no request is sent twice here.
        self.host.run([*control, "attach", "--parser", parser, "--domain", "1",
                       "--mode", "token", "--anchor-requests",
                       *([] if scrub else ["--no-scrub"]),
                       "--listen", listen, "--upstream", upstream])
        try:
            yield []
        finally:
            self.host.run([*control, "detach", "--all"], check=False)

    def quiet(self):
        """Ends librad: for what is measured without it."""
        if self.librad is not None:
            self.host.call("stop", pid=self.librad)
            self.librad = None

    def _start(self, parser):
        socket = self.host.path("librad.sock")
        control = [os.path.join(self.build, "tools/libractl"), "--socket", socket]
        if self.librad is not None and self._parser == parser:
            return control
        self.quiet()
        log = self.host.path("librad.log")
        self.librad = self.host.call("start", log=log, argv=[
            os.path.join(self.build, "userspace/librad"), "--socket", socket, "--foreground",
            f"--parser={parser}"])
        self._parser = parser
        self._wait_ready(self.librad, control, log)
        return control

    def _wait_ready(self, pid, control, log):
        end = time.monotonic() + 120
        while self.host.run([*control, "status"], check=False)["status"] != 0:
            if not self.host.call("alive", pid=pid):
                said = self.host.read(log).strip().splitlines()[-1:]
                raise BenchError(f"librad ended at once: {' '.join(said)}")
            if time.monotonic() > end:
                raise BenchError("librad does not answer")
            time.sleep(0.05)
