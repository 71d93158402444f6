# SPDX-License-Identifier: GPL-2.0-only
"""Libra's controls: the module, its counters and sysctls, librad and libractl."""

import contextlib
import json
import os
import subprocess
import time

from .process import Process

STAT = "/proc/net/libra_stat"
SYSCTL = "/proc/sys/net/libra"
# What must be zero when nothing is attached and nothing is left behind.
ANCHOR_GAUGES = ("anchors_live", "anchor_bytes_live", "anchor_charge_live")
GAUGES = ("attached_sockets", *ANCHOR_GAUGES)
SHORT_TTL_MS = 3000


class LibraError(RuntimeError):
    pass


def loaded():
    return os.path.exists(STAT)


def load_module(path=None):
    """insmod of the given file, or modprobe of the running kernel's own module."""
    command = ["insmod", path] if path else ["modprobe", "libra"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise LibraError(f"{' '.join(command)}: {run.stderr.strip()}")
    if not loaded():
        raise LibraError(f"the module is loaded, but there is no {STAT}")


def unload_module(timeout=10):
    """rmmod; sockets that are on their last steps get the time to end."""
    end = time.monotonic() + timeout
    while True:
        run = subprocess.run(["rmmod", "libra"], capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return
        if time.monotonic() > end:
            raise LibraError(f"rmmod libra: {run.stderr.strip()}")
        time.sleep(0.1)


def counters():
    """All of libra_stat as a dictionary."""
    with open(STAT, encoding="ascii") as stat:
        return {name: int(value) for name, value in (line.split() for line in stat)}


def gauges_left(names=GAUGES):
    """Those of the gauges that are not zero."""
    now = counters()
    return {name: now[name] for name in names if now[name] != 0}


def read_sysctl(name):
    with open(os.path.join(SYSCTL, name), encoding="ascii") as value:
        return value.read().strip()


@contextlib.contextmanager
def sysctl(name, value):
    """Sets net.libra.<name> for a while."""
    path = os.path.join(SYSCTL, name)
    old = read_sysctl(name)
    with open(path, "w", encoding="ascii") as out:
        out.write(str(value))
    try:
        yield
    finally:
        with open(path, "w", encoding="ascii") as out:
            out.write(old)


def wait_idle(timeout, names=GAUGES):
    """Waits until these gauges are zero; returns those that are not."""
    end = time.monotonic() + timeout
    while (left := gauges_left(names)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def settle(timeout=20, names=GAUGES):
    """wait_idle() for when VPIs were dropped: anchors that no socket owns any more
    end with their time to live, which is shortened for this phase only."""
    with sysctl("anchor_ttl_ms", SHORT_TTL_MS):
        return wait_idle(timeout, names)


class Daemon:
    """A librad of one's own, and libractl as its client."""

    def __init__(self, build, directory, parsers=("http1",), options=()):
        self.librad = os.path.join(build, "userspace/librad")
        self.libractl = os.path.join(build, "tools/libractl")
        for program in (self.librad, self.libractl):
            if not os.access(program, os.X_OK):
                raise LibraError(f"{program} is missing: build it first (cmake --build {build})")
        self.socket = os.path.join(directory, "librad.sock")
        self._command = [self.librad, "--socket", self.socket, "--foreground",
                         *(f"--parser={name}" for name in parsers), *options]
        self._log = os.path.join(directory, "librad.log")
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()

    def start(self):
        """After stop()."""
        self.process = Process("librad", self._command, self._log)
        try:
            self._wait_ready()
        except BaseException:
            self.process.stop()
            raise

    def stop(self):
        self.process.stop()

    def _wait_ready(self, timeout=300):  # the verifier of a debug kernel takes its time
        end = time.monotonic() + timeout
        while self.ctl("status", check=False).returncode != 0:
            if not self.process.alive():
                raise LibraError(f"librad ended at once: {self.process.log_tail()}")
            if time.monotonic() > end:
                raise LibraError(f"librad does not answer: {self.process.log_tail()}")
            time.sleep(0.1)

    def ctl(self, *arguments, check=True):
        # Tests provoke what breakers are for.
        if "attach" in arguments and "--breaker" not in arguments:
            arguments += ("--breaker", "off")
        # Nor is one message in a thousand to be copied while others are counted.
        if "attach" in arguments and "token" in arguments and "--check" not in arguments:
            arguments += ("--check", "off")
        run = subprocess.run([self.libractl, "--socket", self.socket, *arguments],
                             capture_output=True, text=True, check=False, timeout=60)
        if check and run.returncode != 0:
            raise LibraError(f"libractl {' '.join(arguments)}: {run.stderr.strip()}")
        return run

    def status(self):
        return json.loads(self.ctl("--json", "status").stdout)

    @contextlib.contextmanager
    def policy(self, listen, upstream, domain, mode="token", options=(), parser="http1"):
        """Attaches both sides of a proxy. Sockets that exist already stay as they are."""
        rule = self.ctl("attach", "--parser", parser, "--listen", listen, "--upstream", upstream,
                        "--domain", str(domain), "--mode", mode, *options).stdout.strip()
        try:
            yield rule
        finally:
            if self.process.alive():
                self.ctl("detach", rule)
