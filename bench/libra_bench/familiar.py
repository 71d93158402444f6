# SPDX-License-Identifier: GPL-2.0-only
"""The load clients that everybody knows: wrk and h2load (HTTP/1.1). They copy what they
read, so on a machine that they share with the proxy they are soon the bottleneck; their
rows stand beside those of our own client to be compared with other people's figures.
"""

import math
import re

from .error import BenchError

TIME = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}


def argv(client, connections, seconds, url):
    """Whole seconds: neither takes less."""
    seconds = math.ceil(seconds)
    if client == "wrk":
        return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    return ["h2load", "--h1", "-t1", f"-c{connections}", f"-D{seconds}", url]


def _microseconds(number, unit):
    return float(number) * TIME[unit]


def _found(pattern, text, client):
    match = re.search(pattern, text, re.MULTILINE)
    if not match:
        raise BenchError(f"{client} said nothing of {pattern!r}: "
                         f"{' | '.join(text.strip().splitlines()[-2:])}")
    return match


def parse_wrk(text):
    """requests, errors, seconds, percentiles in microseconds"""
    done = _found(r"^\s*(\d+) requests in ([\d.]+)(us|ms|s|m),", text, "wrk")
    errors = sum(int(count) for line in re.findall(r"^\s*(?:Non-2xx.*|Socket errors:.*)$", text,
                                                   re.MULTILINE)
                 for count in re.findall(r"\d+", line.split(":", 1)[1]))
    latency = {f"p{share}": _microseconds(number, unit) for share, number, unit in
               re.findall(r"^\s*(50|90|99)%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)}
    return (int(done[1]), errors, _microseconds(done[2], done[3]) / 1e6, latency)


def parse_h2load(text):
    done = _found(r"^finished in ([\d.]+)(us|ms|s|m),", text, "h2load")
    # Those that failed hold all that went wrong in any way.
    counts = _found(r"^requests: .* (\d+) succeeded, (\d+) failed,", text, "h2load")
    # It has no percentiles.
    return int(counts[1]), int(counts[2]), _microseconds(done[1], done[2]) / 1e6, {}


def run(topology, point, address, seconds):
    """(its command, what our own client would say of the same)"""
    command = argv(point.client, point.connections, seconds,
                   f"http://{address}/bytes/{point.size}")
    ended = topology.client.run(command, check=False)
    if ended["status"] != 0:
        raise BenchError(f"{point.client} failed (status {ended['status']}): "
                         f"{ended['stderr'].strip() or ended['stdout'].strip()}")
    parse = parse_wrk if point.client == "wrk" else parse_h2load
    requests, errors, took, latency = parse(ended["stdout"])
    return command, {"requests": requests, "errors": errors, "seconds": took,
                     "bytes": requests * point.size, "rate": requests / took,
                     "latency_us": latency, "histogram": [], "cpu_s": {}, "first_error": ""}
