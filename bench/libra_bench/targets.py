# SPDX-License-Identifier: GPL-2.0-only
"""What lazy mode is to reach, and whether it did.

Met is what the whole interval of 95 % meets; where only the median does, or the rounds are
too few for an interval, it is open. Everything else was missed, and says so.
"""

from dataclasses import dataclass

from .matrix import size

MET, OPEN, MISSED = "met", "open", "missed"
EVERY = ("1K", "4K", "16K", "64K", "256K", "1M")
FROM_16K, FROM_256K = EVERY[2:], EVERY[4:]
TOUCHED = ("nginx-gzip", "nginx-sub", "nginx-tls")
PLAIN = {"nginx+lazy": "nginx", "nginx-default+lazy": "nginx-default",
         "nginx-large+lazy": "nginx-large", "haproxy+lazy": "haproxy",
         "haproxy-default+lazy": "haproxy-default", **{f"{name}+lazy": name for name in TOUCHED}}


@dataclass(frozen=True)
class Target:
    """A ratio of two systems that is to be at least, or at most, so much."""
    system: str
    against: str
    metric: str
    sizes: tuple
    bound: float
    at_most: bool = False
    group: str = ""         # only there

    def text(self):
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"

    def verdict(self, found):
        worst = found.high if self.at_most else found.low
        if found.confident and self._meets(worst):
            return MET
        return OPEN if self._meets(found.median) else MISSED

    def _meets(self, value):
        return value <= self.bound if self.at_most else value >= self.bound


def _capacity(system, against, metric="capacity", group="", **bounds):
    return [Target(system, against, metric, (name,), bound, group=group)
            for name, bound in bounds.items()]


NGINX = {"1K": 0.98, "4K": 0.98, "16K": 1.4, "64K": 2.8, "256K": 6, "1M": 12}
TARGETS = [
    *_capacity("nginx+lazy", "nginx", **NGINX),
    # Nothing is gained by having a kworker do it.
    *_capacity("nginx+lazy", "nginx", "capacity_kernel", "tidy",
               **{name: NGINX[name] for name in ("64K", "1M")}),
    *_capacity("nginx+lazy", "nginx+malloc", **{"1M": 9}),
    Target("nginx+lazy", "haproxy-splice", "cpu_s_gb", FROM_16K, 1, at_most=True),
    Target("nginx+lazy", "relay-splice", "cpu_s_gb", FROM_256K, 1.15, at_most=True),
    # It has nothing of lazy mode but its hooks.
    Target("nginx-lazy-beside", "nginx", "capacity", EVERY, 0.98),
    *_capacity("nginx-default+lazy", "nginx-default", **{"64K": 1.4, "1M": 2.2}),
    *_capacity("nginx-large+lazy", "nginx-large", **{"1M": 10}),
    *(target for name in ("haproxy", "haproxy-default")
      for target in (Target(f"{name}+lazy", name, "capacity", EVERY[:-1], 0.98),
                     Target(f"{name}+lazy", name, "capacity", ("1M",), 2))),
    *(Target(f"{name}+lazy", name, "capacity", EVERY, 0.98) for name in TOUCHED),
    *(Target(system, plain, metric, EVERY, bound, at_most=True)
      for system, plain in PLAIN.items() for metric, bound in (("loaded", 1.25), ("idle", 1))),
]
# Of user-mode Linux, where a system call or a page fault costs more than the copies it saves.
UM_TARGETS = [
    *_capacity("nginx+lazy", "nginx", **{"1K": 0.97, "4K": 0.97, "16K": 0.97, "64K": 1.4,
                                         "256K": 0.97, "1M": 3}),
    Target("haproxy+lazy", "haproxy", "capacity", EVERY, 0.97),
]


def of(table):
    """Those that the figures of this machine are judged by."""
    return UM_TARGETS if table.result["configuration"]["accel"] == "um" else TARGETS


def unmeasured(table):
    """How many targets there are, each at each of its sizes, and how many of them nobody
    measured."""
    seen = {(id(target), row.point.size) for target, row, _found, _verdict in judged(table)}
    wanted = {(id(target), size(name)) for target in of(table) for name in target.sizes}
    return len(wanted), len(wanted - seen)


def judged(table):
    """[(target, row, estimate, verdict)] of downloads over connections that are kept, at
    saturation, in the order of the targets."""
    rows = [row for name in table.groups() for row in table.of_group(name)
            if row.point.shape == "download" and row.point.client == "libra"
            and not (row.point.rate or row.point.one_shot)]
    for target in of(table):
        for row in rows:
            if row.system.name != target.system or target.group not in ("", row.point.group) or \
                    row.point.size not in [size(name) for name in target.sizes]:
                continue
            found = row.ratio(target.metric, table.rows.get((target.against, row.point)))
            if found:
                yield target, row, found, target.verdict(found)
