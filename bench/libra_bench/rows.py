# SPDX-License-Identifier: GPL-2.0-only
"""What the samples of a result say: one row for each system and point, over its rounds."""

from . import stats, systems
from .matrix import Point, size_name

PAGE = 4096
# One of so many answers takes longer than this percentile. With few of them it is chance how long
# those took, and in the end, the one that took longest.
PERCENTILES = {"p50": 2, "p90": 10, "p99": 100, "p999": 1000}
BEYOND = 10
# {kind: whose headers are those of all of it}
PLAIN = {"nginx": "nginx", "haproxy": "haproxy", "relay": "relay-copy"}
KEEP = {"group": None, "shape": None, "size": None, "connections": None, "one_shot": None,
        "rate": None, "client": "libra"}     # and what results say that have it not yet


def _requests(sample):
    """How many requests' worth of payload passed in the window; those that it cuts in part."""
    return sample["client"]["bytes"] / sample["point"]["size"]


def _cpu_us(sample):
    """Exact proxy CPU per request. The window of the clock and the client's differ a little."""
    client, proxy = sample["client"], sample["proxy"]
    return proxy["cpu_s"] / proxy["seconds"] * client["seconds"] / _requests(sample) * 1e6


def _kernel_us(sample):
    """Of all threads of the proxy's kernel; None where nobody looked."""
    client, proxy = sample["client"], sample["proxy"]
    spent = proxy.get("kernel_threads_s")
    return spent if spent is None else \
        spent / proxy["seconds"] * client["seconds"] / _requests(sample) * 1e6


def _share(sample, part):
    """The kernel's split into user and system comes from ticks: only the share is taken."""
    proxy = sample["proxy"]
    ticks = proxy["user_ticks_s"] + proxy["system_ticks_s"]
    return proxy[f"{part}_ticks_s"] / ticks if ticks else 0.0


def _softirq_us(sample):
    return sample["proxy"]["machine_s"]["softirq"] / _requests(sample) * 1e6


def _libra(sample, name):
    return sample["proxy"].get("libra", {}).get(name, 0)


def _machine_us(sample):
    """All that the proxy's machine did but for client and origin, whoever was charged."""
    proxy = sample["proxy"]
    spent = sum(proxy["machine_s"][name] for name in ("user", "nice", "system", "irq", "softirq"))
    return max(spent - proxy["others_s"], 0) / _requests(sample) * 1e6


def _per_byte(sample, name):
    """Of a counter. Its window and the client's differ a little."""
    client, proxy = sample["client"], sample["proxy"]
    return _libra(sample, name) / proxy["seconds"] * client["seconds"] / client["bytes"]


def _lazy_spared(sample):
    """What did not cross the user boundary, per payload byte: what was kept, on either side, but
    for the pages that somebody looked at. The counters know no headers from payload."""
    fills = _per_byte(sample, "lazy_fills_user") + _per_byte(sample, "lazy_fills_kernel")
    return (_per_byte(sample, "lazy_rx_bytes") + _per_byte(sample, "lazy_tx_bytes")
            - PAGE * fills)


def _capacity_kernel(sample):
    """Of the proxy and the kernel's threads together; None where nobody looked."""
    kernel = _kernel_us(sample)
    return kernel if kernel is None else 1e6 / (_cpu_us(sample) + kernel)


def _memory(sample, when, *names):
    """The most of what was held at a time, in bytes; None where nobody looked."""
    seen = sample.get("memory", {}).get(when)
    return max(sum(look[name] for name in names) for look in seen["looks"]) if seen else None


def _sockets(sample, when):
    seen = sample.get("memory", {}).get(when)
    return seen and seen["sockets"]


def _each(name):
    """Of a counter, per request."""
    return lambda s: _per_byte(s, name) * s["point"]["size"]


def _percentile(name):
    return lambda s: s["client"]["latency_us"].get(name)


METRICS = {
    "requests_s": lambda s: s["client"]["rate"],
    "mb_s": lambda s: s["client"]["bytes"] / s["client"]["seconds"] / 1e6,
    "cpu_us": _cpu_us,
    "capacity": lambda s: 1e6 / _cpu_us(s),
    "capacity_kernel": _capacity_kernel,
    "cpu_s_gb": lambda s: _cpu_us(s) * 1e3 / s["point"]["size"],
    "user_us": lambda s: _cpu_us(s) * _share(s, "user"),
    "system_us": lambda s: _cpu_us(s) * _share(s, "system"),
    "softirq_us": _softirq_us,
    "kernel_us": _kernel_us,
    "machine_us": _machine_us,
    "busy": lambda s: s["proxy"]["cpu_s"] / s["proxy"]["seconds"],
    **{name: _percentile(name) for name in PERCENTILES},
    "payload_copied": lambda s: ((_libra(s, "rx_copied_bytes") + _libra(s, "tx_copied_bytes"))
                         / s["client"]["bytes"]),
    "anchored": lambda s: _libra(s, "rx_anchored_bytes") / s["client"]["bytes"],
    "lazy_spared": _lazy_spared,
    "lazy_rx": lambda s: _per_byte(s, "lazy_rx_bytes"),
    "lazy_tx": lambda s: _per_byte(s, "lazy_tx_bytes"),
    "fills_user": _each("lazy_fills_user"),
    "fills_kernel": _each("lazy_fills_kernel"),
    "unmaps": _each("lazy_unmaps"),
    # What a proxy holds: its processes' memory, and what the kernel keeps for it.
    "loaded": lambda s: _memory(s, "loaded", "pss", "anchor_charge_live"),
    "loaded_pss": lambda s: _memory(s, "loaded", "pss"),
    "loaded_anchors": lambda s: _memory(s, "loaded", "anchor_charge_live"),
    "loaded_sockets": lambda s: _sockets(s, "loaded"),
    "idle": lambda s: _memory(s, "idle", "pss", "anchor_charge_live"),
    "idle_anchors": lambda s: _memory(s, "idle", "anchor_charge_live"),
    "parser_calls": lambda s: _libra(s, "parser_calls") / _requests(s),
}
OF_PROXY = {"cpu_us", "capacity", "capacity_kernel", "cpu_s_gb", "user_us", "system_us", "busy",
            "loaded", "idle"}


class Row:
    """A system at a point."""

    def __init__(self, system, point, samples):
        self.system = systems.BY_NAME[system]
        self.point = point
        self.by_round = {sample["round"]: sample for sample in samples}

    def has(self, metric):
        return (self.system.charged or metric not in OF_PROXY) and \
            (bool(self.values(metric)) or self.together(metric) is not None)

    def values(self, metric):
        """{round: value}, of the rounds that have one; a percentile needs all of them to have
        enough answers."""
        if metric in PERCENTILES and not all(
                sample["client"]["requests"] >= BEYOND * PERCENTILES[metric]
                for sample in self.by_round.values()):
            return {}
        found = ((number, METRICS[metric](sample)) for number, sample in self.by_round.items())
        return {number: value for number, value in found if value is not None}

    def together(self, metric):
        """The percentile of all rounds' answers; None if there are too few of them, too."""
        one_in = PERCENTILES.get(metric)
        histogram = self.histogram() if one_in else []
        if not one_in or sum(count for _, count in histogram) < BEYOND * one_in:
            return None
        return stats.percentile(histogram, 1 - 1 / one_in)

    def estimate(self, metric):
        values = self.values(metric)
        return stats.estimate(values.values()) if values else stats.single(self.together(metric))

    def median(self, metric):
        return self.estimate(metric).median

    def ratio(self, metric, baseline):
        """None where there is nothing to compare."""
        if baseline is None or not (self.has(metric) and baseline.has(metric)):
            return None
        values, others = self.values(metric), baseline.values(metric)
        if values and others:
            return stats.ratio(values, others)
        # Of all rounds together, for either.
        if None in (pair := (self.together(metric), baseline.together(metric))):
            return None
        return stats.single(pair[0] / pair[1])

    def histogram(self):
        return stats.merge_histograms(s["client"]["histogram"] for s in self.by_round.values())


class Table:
    """All rows of a result, and its probes."""

    def __init__(self, result):
        self.result = result
        found = {}
        for sample in result["samples"]:
            point = Point(**{name: sample["point"].get(name, older)
                             for name, older in KEEP.items()})
            found.setdefault((sample["system"], point), []).append(sample)
        self.rows = {key: Row(*key, samples) for key, samples in found.items()}
        self.probes = {(p["system"], p["point"]["shape"], p["point"]["size"],
                        p["point"]["one_shot"]): p for p in result["probes"]}

    def groups(self):
        return [group["name"] for group in self.result["matrix"]]

    def of_group(self, name):
        """Sorted by point, systems in their order."""
        order = {system: index for index, system in enumerate(systems.NAMES)}
        return sorted((row for (_, point), row in self.rows.items() if point.group == name),
                      key=lambda row: (row.point.shape, row.point.one_shot, row.point.client,
                                       row.point.size,
                                       row.point.connections, row.point.rate,
                                       order[row.system.name]))

    def baseline(self, row):
        return self.rows.get((row.system.baseline, row.point)) if row.system.baseline else None

    def peers(self, row):
        """What else it is compared with, where that was measured."""
        found = (self.rows.get((name, row.point)) for name in row.system.peers)
        return [peer for peer in found if peer]

    def probe(self, row):
        return self.probes.get((row.system.name, row.point.shape, row.point.size,
                                row.point.one_shot))

    def forwarded(self, row, way=None):
        """Bytes that a plain proxy receives and sends (way: in, out), headers included, per
        payload byte, as strace saw it; None if nobody looked. The headers are those of all proxies
        of a kind, so where its own baseline has no probe, another's counts."""
        for name in (row.system.baseline or row.system.name, PLAIN.get(row.system.kind)):
            probe = self.probes.get((name, row.point.shape, row.point.size, row.point.one_shot))
            if probe:
                copied = probe["strace"]["copied"]
                return (copied[way] if way else sum(copied.values())) / probe["strace"]["bytes"]
        return None

    def copied(self, row):
        """Bytes copied across the user boundary per forwarded byte, headers included in both,
        so that a plain proxy has 2; None if unknown.

        With Libra its own counters say in the timed window what of that was not. Else: what
        strace saw system calls return. In a result without any strace it is payload alone.
        None for what the kernel encrypts: TLS may read user memory where it lies, and copies
        what it encrypts where no counter of ours is.
        """
        if row.system.in_kernel:
            return None
        whole = self.forwarded(row) or 2
        probe = self.probe(row)
        if row.system.lazy and not row.system.beside:
            crossed = max(whole - row.median("lazy_spared"), 0)
        elif row.system.parser == "http1":     # its counters are of payload, and of VPIs
            crossed = row.median("payload_copied") + whole - 2
        elif probe:
            crossed = sum(probe["strace"]["copied"].values()) / probe["strace"]["bytes"]
        else:
            return None
        return 2 * crossed / whole

    def lazy_share(self, row, metric, way):
        """Of the bytes that passed, headers included where strace saw how many these are."""
        return row.median(metric) / (self.forwarded(row, way) or 1)

    def sweep(self):
        """[(what, {system: [row by size]})] of closed loops that vary the size of downloads,
        whatever group they are in; each family of systems by itself."""
        series = {}
        for name in self.groups():
            for row in self.of_group(name):
                point = row.point
                if point.shape == "download" and not (point.rate or point.one_shot) \
                        and point.client == "libra":
                    sweep = series.setdefault((row.system.family, point.connections), {})
                    sweep.setdefault(row.system.name, {}).setdefault(point.size, row)
        for (family, connections), sweep in sorted(series.items()):
            chosen = {system: [sizes[size] for size in sorted(sizes)]
                      for system, sizes in sweep.items()}
            if any(len(rows) > 2 for rows in chosen.values()):
                what = ("downloads", family, f"{connections} connections")
                yield ", ".join(filter(None, what)), chosen


def slope(rows, metric="system_us", smallest=16 << 10):
    """(intercept in us, us per MB) of a sweep from a size on; None with less than two sizes."""
    return stats.line([(row.point.size / 2 ** 20, row.median(metric)) for row in rows
                       if row.point.size >= smallest and row.has(metric)])


def where(row):
    client = f" ({row.point.client})" if row.point.client != "libra" else ""
    return f"{row.point.shape} {size_name(row.point.size)}{client}"
