# SPDX-License-Identifier: GPL-2.0-only
"""What is looked at apart from the timed windows, because looking costs time.

System calls and the bytes they copy come from strace, the parser's time from BPF
run-time statistics, the high-water mark of anchored memory from the gauges.
"""

import time

from . import strace_log
from .error import BenchError
from .sample import Load, client_argv

STRACE_REQUESTS = 24
STRACE_CONNECTIONS = 2
BPF_STATS = "/proc/sys/kernel/bpf_stats_enabled"


def system_calls(topology, server, point, service):
    """A short load under strace. Per request; header bytes are copied as well, and counted."""
    host = topology.proxy
    log = host.path("strace.log")
    worker = server.worker()
    host.run(["rm", "-f", log])
    argv = client_argv(topology, point, service, requests=STRACE_REQUESTS,
                       connections=min(STRACE_CONNECTIONS, point.connections))
    Load(topology, argv, 60).result()   # what a worker does once is not what a request costs
    pid = host.call("start", log=host.path("strace.err"), argv=[
        "strace", "-f", "-qq", "-s", "0", "-o", log, "-p", str(worker)])
    try:
        _wait_traced(host, worker, pid)
        result = Load(topology, argv, 60).result()
    finally:
        host.call("stop", pid=pid)
    seen = strace_log.parse(host.read(log))
    if not seen["total"]:
        raise BenchError("strace saw no system call")
    return {"requests": result["requests"], "bytes": result["bytes"], **seen}


def _wait_traced(host, worker, strace):
    end = time.monotonic() + 60
    while "TracerPid:\t0\n" in host.read(f"/proc/{worker}/status"):
        if not host.call("alive", pid=strace) or time.monotonic() > end:
            raise BenchError("strace cannot attach: " + host.read(host.path("strace.err")).strip())
        time.sleep(0.02)


def libra_inside(topology, librad, point, service, window):
    """The parser's time, if there is a librad, and the most memory that was anchored, under
    the full load."""
    host = topology.proxy
    old = host.read(BPF_STATS)
    host.write(BPF_STATS, "1")
    try:
        argv = client_argv(topology, point, service, seconds=window.seconds,
                           at_least=window.at_least, warm_up=window.warm_up)
        load = Load(topology, argv, window.seconds + window.warm_up)
        load.wait_line("measuring")
        host.call("poll_gauges")
        before = _parser_time(host, librad)
        load.wait_line("measured")
        after = _parser_time(host, librad)
        peaks = host.call("peaks")
        result = load.result()
    finally:
        host.write(BPF_STATS, old)
    return {"requests": result["requests"], "bytes": result["bytes"],
            "parser_ns": after["ns"] - before["ns"], "parser_calls": after["calls"] - before["calls"],
            "high_water": peaks}


def _parser_time(host, librad):
    return host.call("struct_ops_time", pid=librad) if librad else {"ns": 0, "calls": 0}
