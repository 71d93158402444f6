# SPDX-License-Identifier: GPL-2.0-only
"""Is a result complete, and was every byte right? Speed is nobody's failure here."""

from . import systems
from .error import BenchError


# Above net.libra.min_anchor, and what HAProxy reads in pieces of its buffer.
KEPT_FROM = 64 << 10
# What must have stayed in the kernel at least, of the payload: with a parser the rest may
# have been in one read with a header; in lazy mode the proxy may have looked at it.
KEPT = {"http1": 1 / 2, "nginx": 1 / 2, "haproxy": 1 / 8}


def kept(sample):
    """The share of the payload that stayed in the kernel in this window."""
    count = sample["proxy"].get("libra", {})
    return ((count.get("rx_anchored_bytes", 0) + count.get("lazy_rx_bytes", 0))
            / sample["client"]["bytes"])


def not_kept(sample):
    """What is measured with Libra must have been: a line if it was not."""
    system, point = systems.BY_NAME[sample["system"]], sample["point"]
    if system.beside or system.touched:
        return None
    if point["size"] < KEPT_FROM or not sample["client"]["bytes"]:
        return None
    if system.reads and (point["size"] <= system.reads or "chunked" in point["shape"]):
        return None
    least = KEPT[system.kind] if system.lazy else KEPT.get(system.parser, 0)
    if kept(sample) >= least:
        return None
    why = "the allocator had no payload memory" if system.lazy else \
        "it was not attached on both sides"
    return f"{kept(sample):.1%} of the payload stayed in the kernel: {why}"


def _key(system, point, number):
    return system, tuple(sorted(point.items())), number


def expected(group, points):
    """The samples that a group asks for at these of its points."""
    return {_key(name, point, number) for point in points for name in group["systems"]
            for number in range(group["repetitions"])}


def measured(result):
    return {_key(s["system"], s["point"], s["round"]) for s in result["samples"]}


def problems(result):
    """One line for each thing that is not as it must be."""
    if not result["complete"]:
        yield "the run did not come to its end"
    wanted = set().union(*(expected(group, group["points"]) for group in result["matrix"]))
    missing = wanted - measured(result)
    if missing:
        yield f"{len(missing)} samples are missing, one of {min(missing)[0]}"
    verified = {(v["system"], v["shape"], v["size"], v["one_shot"], v.get("offload", True))
                for v in result["verified"]}
    whole = {group["name"]: group.get("offload", True) for group in result["matrix"]}
    for sample in result["samples"]:
        point = sample["point"]
        what = f"{sample['system']}, {point['shape']} {point['size']} c{point['connections']}"
        client = sample["client"]
        if client["errors"]:
            yield f"{what}: {client['errors']} errors"
        if not client["requests"]:
            yield f"{what}: no request was answered"
        # The window cuts the requests that were on their way when it began or ended.
        elif (abs(client["bytes"] - client["requests"] * point["size"])
              > point["connections"] * point["size"]):
            yield (f"{what}: {client['bytes']} payload bytes, not about "
                   f"{client['requests']} x {point['size']}")
        if (sample["system"], point["shape"], point["size"], point["one_shot"],
                whole.get(point["group"], True)) not in verified:
            yield f"{what}: its bytes were never compared"
        if sample["proxy"].get("libra", {}).get("fail_stops"):
            yield f"{what}: fail-stops"
        if problem := not_kept(sample):
            yield f"{what}: {problem}"
    names = {name for group in result["matrix"] for name in group["systems"]}
    # Of runs that did not end only what they measured counts; the report says so.
    unseen = result.get("joined") and not result["settled"]
    if any(systems.BY_NAME[name].libra for name in names) and not unseen:
        settled = result.get("settled") or {"left": "nobody looked", "counters": {}}
        if settled["left"]:
            yield f"left behind: {settled['left']}"
        if settled["counters"].get("fail_stops"):
            yield f"{settled['counters']['fail_stops']} fail-stops"


def require(result):
    """Raises with the first problem, and how many there are."""
    found = list(problems(result))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise BenchError(f"the result is not good: {found[0]}{more}")
