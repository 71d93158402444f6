# SPDX-License-Identifier: GPL-2.0-only
"""One load through one system, and what it cost the proxy's host."""

import json
import os
import time
from dataclasses import dataclass

from . import familiar, systems
from .error import BenchError

# Beyond the window that was asked for: a request that began in it may end after it.
GRACE = 120
# How often, and how many seconds apart, memory is looked at while the load goes on.
LOOKS, LOOK_EVERY = 4, 0.02


def client_argv(topology, point, service, *, seconds=None, requests=None, warm_up=0.0, rate=0.0,
                verify=False, connections=None, at_least=0, linger=False, vary=None):
    argv = [os.path.join(topology.build["client"], systems.CLIENT),
            "--address", service.address, "--shape", point.shape, "--size", str(point.size),
            "--connections", str(connections or point.connections), "--timeout", str(GRACE),
            *service.options]
    argv += ["--seconds", f"{seconds:g}"] if seconds else ["--requests", str(requests)]
    argv += ["--at-least", str(at_least)] if at_least and not rate else []
    argv += ["--warm-up", f"{warm_up:g}"] if warm_up else []
    argv += ["--one-shot"] if point.one_shot else []
    argv += ["--rate", f"{rate:.3f}"] if rate else []
    argv += ["--verify"] if verify else []
    argv += ["--vary", str(vary)] if vary is not None else []
    argv += ["--linger"] if linger else []
    return argv


class Load:
    """A client that is running; measured() and result() follow what it says."""

    def __init__(self, topology, argv, expected):
        self.host = topology.client
        self.argv = argv
        self.expected = expected
        self.said = []
        self.pid = self.host.call("start", argv=argv, watch=True, cpus=topology.pins["client"])

    def _next(self):
        event = self.host.event(self.pid, self.expected + GRACE)
        if event["event"] == "line" and event["line"] not in ("measuring", "measured"):
            self.said.append(event["line"])
        return event

    def wait_line(self, line):
        while True:
            event = self._next()
            if event["event"] == "exit":
                raise BenchError(f"the client ended before '{line}': {self._complaint(event)}")
            if event["line"] == line:
                return

    def result(self):
        while (event := self._next())["event"] != "exit":
            pass
        if event["status"] != 0:
            raise BenchError(f"the client failed: {self._complaint(event)}")
        return json.loads(event["stdout"])

    def _complaint(self, event):
        return " | ".join(self.said[-2:]) or f"status {event['status']}"

    def enough(self):
        """To a client that lingers."""
        self.host.call("signal", pid=self.pid)

    def stop(self):
        self.host.call("stop", pid=self.pid)


def difference(before, after):
    """What moved between two of the agent's samples."""
    cpu = {name: after["cpu"][name] - before["cpu"][name] for name in after["cpu"]}
    moved = {
        "seconds": (after["at_ns"] - before["at_ns"]) / 1e9,
        "cpu_s": cpu["total_ns"] / 1e9,
        "user_ticks_s": cpu["user_s"],
        "system_ticks_s": cpu["system_s"],
        "machine_s": {name: round(after["machine"][name] - before["machine"][name], 3)
                      for name in after["machine"]},
    }
    if after["kernel_threads"] and before["kernel_threads"]:
        moved["kernel_threads_s"] = sum(
            ns - before["kernel_threads"].get(thread, 0)
            for thread, ns in after["kernel_threads"].items()) / 1e9
    if after["libra"] and before["libra"]:
        moved["libra"] = {name: value - before["libra"][name]
                          for name, value in after["libra"].items()
                          if value != before["libra"][name]}
    return moved


def _both(topology, pids, origin):
    """The proxy's clocks, at once; the origin's soon after."""
    return (topology.proxy.call("sample", pids=pids, kernel=True),
            topology.origin.call("sample", pids=origin.pids))


@dataclass(frozen=True)
class Window:
    """How long a load is measured: so many seconds, and until so many answers have come."""
    seconds: float
    warm_up: float = 0.0
    at_least: int = 0
    rate: float = 0.0       # requests per second; 0: closed loop


def measure(topology, server, origin, point, service, window, idle=0.0):
    """A timed window: the proxy's clock is read where the client says it begins and ends. Then,
    with the load still there, its memory is looked at, and again `idle` seconds after the end
    of the load, if that is not 0."""
    if point.client != "libra":
        return _measure_familiar(topology, server, origin, point, service, window.seconds,
                                 window.warm_up)
    linger = not window.rate
    argv = client_argv(topology, point, service, seconds=window.seconds, warm_up=window.warm_up,
                       at_least=window.at_least, rate=window.rate, linger=linger)
    load = Load(topology, argv, window.seconds + window.warm_up)
    pids = server.pids if server else []
    load.wait_line("measuring")
    before, origin_before = _both(topology, pids, origin)
    load.wait_line("measured")
    after, origin_after = _both(topology, pids, origin)
    memory = {}
    if linger:
        memory["loaded"] = topology.proxy.call("memory", pids=pids, looks=LOOKS,
                                               every=LOOK_EVERY)
        load.enough()
    result = load.result()
    if linger and idle:
        time.sleep(idle)
        memory["idle"] = topology.proxy.call("memory", pids=pids)
        memory["idle_s"] = idle
    return {**_outcome(topology, argv, result, difference(before, after),
                       difference(origin_before, origin_after)["cpu_s"]), "memory": memory}


def _outcome(topology, argv, result, proxy, origin_cpu):
    if result["errors"]:
        raise BenchError(f"{result['errors']} of {result['requests']} requests failed: "
                         f"{result.get('first_error')}")
    if not result["requests"]:
        raise BenchError(f"no request was answered in {result['seconds']:g} s: lengthen the window")
    # What else than forwarding the proxy's machine did.
    others = origin_cpu + sum(result["cpu_s"].values()) if topology.shared else 0.0
    return {"client": result, "proxy": {**proxy, "others_s": others},
            "origin_cpu_s": origin_cpu, "client_argv": argv}


def _measure_familiar(topology, server, origin, point, service, seconds, warm_up):
    """The whole run of a client that does not say where its window begins, warmed up before."""
    pids = server.pids if server else []
    if warm_up:
        familiar.run(topology, point, service.address, warm_up)
    before, origin_before = _both(topology, pids, origin)
    argv, result = familiar.run(topology, point, service.address, seconds)
    after, origin_after = _both(topology, pids, origin)
    proxy = difference(before, after)
    # All of the proxy's work was for these requests, also what it did before and behind them.
    proxy["seconds"] = result["seconds"]
    return _outcome(topology, argv, result, proxy,
                    difference(origin_before, origin_after)["cpu_s"])


def verify(topology, point, service, requests, connections, first_body):
    """A few requests with every byte compared, each with another body, so that what is left of
    another in a buffer is wrong. An error if one differs."""
    argv = client_argv(topology, point, service, requests=requests, verify=True,
                       connections=min(connections, point.connections), vary=first_body)
    result = Load(topology, argv, 60).result()
    if result["mismatches"] or result["errors"] or result["exact"] != result["requests"]:
        raise BenchError(f"{point.name()}: bytes differ or requests fail: "
                         f"{result['mismatches']} mismatches, {result['errors']} errors of "
                         f"{result['requests']}: {result.get('first_error')}")
    return {"requests": result["requests"], "bodies": requests, "bytes": result["bytes"]}
