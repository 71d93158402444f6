# SPDX-License-Identifier: GPL-2.0-only
"""The plots of a result."""

import os

from . import rows, systems
from .error import BenchError
from .matrix import size_name
from .place import suffix

try:
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as pyplot
except ImportError:
    raise BenchError("no plots without matplotlib: run scripts/install-deps bench, "
                     "or pass --no-plots") from None

# A colour for a family, a style for its member, so that a pair is seen as one.
STYLES = {
    "direct": ("black", ":"),
    "nginx": ("tab:green", "--"), "nginx+libra": ("tab:green", "-"),
    "nginx+libra-noscrub": ("tab:green", "-."),
    "nginx-pass": ("tab:green", ":"),
    "nginx-beside": ("tab:olive", ":"),
    "nginx-untrimmed": ("tab:olive", "--"), "nginx-untrimmed+libra": ("tab:olive", "-"),
    "nginx+malloc": ("tab:red", "--"), "nginx+lazy": ("tab:red", "-"),
    "nginx-lazy-beside": ("tab:red", ":"),
    "nginx-default": ("tab:green", "--"), "nginx-default+malloc": ("tab:red", "--"),
    "nginx-default+lazy": ("tab:red", "-"),
    "nginx-large": ("tab:green", "--"), "nginx-large+malloc": ("tab:red", "--"),
    "nginx-large+lazy": ("tab:red", "-"),
    "nginx-gzip": ("tab:brown", "--"), "nginx-gzip+lazy": ("tab:brown", "-"),
    "nginx-sub": ("tab:cyan", "--"), "nginx-sub+malloc": ("tab:cyan", ":"),
    "nginx-sub+lazy": ("tab:cyan", "-"),
    "nginx-tls": ("tab:orange", "--"), "nginx-tls+lazy": ("tab:orange", "-"),
    "nginx-ktls": ("tab:brown", "--"), "nginx-ktls+libra": ("tab:brown", "-"),
    "nginx-ktls12": ("tab:gray", "--"), "nginx-ktls12+libra": ("tab:gray", "-"),
    "nginx-device": ("tab:pink", "--"), "nginx-device+libra": ("tab:pink", "-"),
    "haproxy-default": ("tab:blue", "--"), "haproxy-default+malloc": ("tab:purple", "--"),
    "haproxy-default+lazy": ("tab:purple", "-"),
    "haproxy+malloc": ("tab:purple", "--"), "haproxy+lazy": ("tab:purple", "-"),
    "haproxy": ("tab:blue", "--"), "haproxy-splice": ("tab:blue", "-."),
    "haproxy+libra": ("tab:blue", "-"), "haproxy+libra-noscrub": ("tab:cyan", "-"),
    "relay-copy": ("tab:gray", "--"), "relay-splice": ("tab:gray", "-."),
    "relay-sockmap": ("tab:gray", ":"),
}
MOST_BARS = 4
# The one plot about lazy mode: it, what of it is the allocator's, what HAProxy has instead, and
# what there is to gain at most, by who reads nothing. {system: against what}
LAZY = {"nginx+lazy": "nginx", "nginx+malloc": "nginx", "haproxy-splice": "haproxy",
        "relay-splice": "nginx"}
LAZY_PLOT = "lazy.png"
# Of a ratio.
TICKS = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def _style(name):
    colour, line = STYLES[name]
    return {"color": colour, "linestyle": line, "label": name, "marker": ".", "markersize": 5}


def _size_axis(axes, sizes):
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [size_name(size) for size in sizes], rotation=45, fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel("payload")
    axes.grid(alpha=0.3)


def _save(figure, directory, name):
    figure.tight_layout()
    figure.savefig(os.path.join(directory, name), dpi=110)
    pyplot.close(figure)
    return name


def _by_size(directory, name, title, series, metric, label):
    figure, axes = pyplot.subplots(figsize=(9, 5.5))
    for system, chosen in series.items():
        chosen = [row for row in chosen if row.has(metric)]
        if not chosen:
            continue
        estimates = [row.estimate(metric) for row in chosen]
        sizes = [row.point.size for row in chosen]
        axes.plot(sizes, [e.median for e in estimates], **_style(system))
        axes.fill_between(sizes, [e.low for e in estimates], [e.high for e in estimates],
                          color=STYLES[system][0], alpha=0.12, linewidth=0)
    axes.set_yscale("log")
    axes.set_ylabel(label)
    axes.set_title(title)
    _size_axis(axes, _sizes(series))
    axes.legend(fontsize=8)
    return _save(figure, directory, name)


def _charged(series):
    return [system for system in series if systems.BY_NAME[system].charged]


def _sizes(series):
    return sorted({row.point.size for chosen in series.values() for row in chosen})


def _ratios(axes, series, table, metric, against):
    """A line for each system that was measured beside what against(row) names."""
    drawn = {}
    for system, chosen in series.items():
        found = [(row.point.size, row.ratio(metric, table.rows.get((against(row), row.point))))
                 for row in chosen]
        found = [(size, ratio) for size, ratio in found if ratio]
        if not found:
            continue
        drawn[system] = chosen
        style = _style(system)
        style["label"] += f" / {against(chosen[0])}"
        middle = [ratio.median for _, ratio in found]
        axes.errorbar([size for size, _ in found], middle, capsize=2, **style, yerr=[
            [ratio.median - ratio.low for _, ratio in found],
            [ratio.high - ratio.median for _, ratio in found]])
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_yscale("log", base=2)
    low, high = axes.get_ylim()
    axes.set_yticks(TICKS, [f"{tick:g}×" for tick in TICKS])
    axes.set_ylim(min(low, 0.75), max(high, 2))     # ticks widen it
    _size_axis(axes, _sizes(drawn))
    axes.legend(fontsize=8)


def _speed_up(directory, name, title, series, table):
    figure, both = pyplot.subplots(1, 2, figsize=(12, 5), sharey=True)
    for axes, metric, what in zip(both, ("capacity", "mb_s"), ("capacity", "throughput")):
        _ratios(axes, series, table, metric, lambda row: row.system.baseline)
        axes.set_title(what)
    figure.suptitle(title)
    return _save(figure, directory, name)


def _lazy(directory, name, title, series, table):
    figure, axes = pyplot.subplots(figsize=(9, 5))
    _ratios(axes, {system: series[system] for system in LAZY if system in series}, table,
            "capacity", lambda row: LAZY[row.system.name])
    axes.set_ylabel("capacity against the plain proxy")
    axes.set_title(title)
    return _save(figure, directory, name)


def _breakdown(directory, name, title, series):
    sizes = _sizes(series)
    step = max(1, -(-len(sizes) // MOST_BARS))
    sizes = sizes[::-1][::step][::-1]
    names = _charged(series)
    figure, all_axes = pyplot.subplots(1, len(sizes), figsize=(3.6 * len(sizes), 4.8),
                                       squeeze=False)
    for axes, size in zip(all_axes[0], sizes):
        found = {system: row for system in names for row in series[system]
                 if row.point.size == size}
        user = [found[system].median("user_us") for system in found]
        system_time = [found[system].median("system_us") for system in found]
        axes.bar(list(found), user, label="user", color="tab:orange")
        axes.bar(list(found), system_time, bottom=user, label="system and charged softirq",
                 color="tab:purple")
        axes.set_title(size_name(size), fontsize=10)
        axes.tick_params(axis="x", rotation=80, labelsize=8)
    all_axes[0][0].set_ylabel("proxy CPU, µs per request")
    all_axes[0][0].legend(fontsize=8)
    figure.suptitle(title, fontsize=11)
    return _save(figure, directory, name)


def _copied(directory, name, title, series, table):
    figure, axes = pyplot.subplots(figsize=(9, 5))
    for system, chosen in series.items():
        found = [(row.point.size, table.copied(row)) for row in chosen]
        found = [(size, copied) for size, copied in found if copied is not None]
        if found:
            axes.plot(*zip(*found), **_style(system))
    axes.set_ylabel("bytes copied across the user boundary per forwarded byte")
    axes.set_ylim(bottom=0)
    axes.set_title(title)
    _size_axis(axes, _sizes(series))
    axes.legend(fontsize=8)
    return _save(figure, directory, name)


def _latency(directory, name, title, chosen):
    figure, axes = pyplot.subplots(figsize=(9, 5))
    for row in chosen:
        histogram = row.histogram()
        total = sum(count for _, count in histogram)
        seen, x, y = 0, [], []
        for upper, count in histogram:
            if total - seen < rows.BEYOND:
                break   # what is beyond is chance
            seen += count
            x.append(upper / 1000)
            y.append(1 - (seen - count) / total)
        style = _style(row.system.name)
        style["marker"] = ""
        axes.step(x, y, where="post", **style)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.invert_yaxis()     # a distribution rises
    axes.set_yticks([1, 0.5, 0.1, 0.01, 0.001], ["0", "P50", "P90", "P99", "P99.9"])
    axes.set_xlabel("latency, ms")
    axes.set_ylabel("share of requests that were quicker")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return _save(figure, directory, name)


def write(result, directory):
    """[(file, title)] of what was drawn."""
    table = rows.Table(result)
    note = suffix(result)
    drawn = []

    def draw(function, name, what, *arguments):
        title = f"{what} {note}"
        drawn.append((function(directory, name, title, *arguments), title))

    for number, (what, series) in enumerate(table.sweep()):
        tail = f"-{number + 1}" if number else ""
        if "nginx+lazy" in series and not number:
            draw(_lazy, LAZY_PLOT, f"Lazy mode: {what}", series, table)
        draw(_speed_up, f"speed-up{tail}.png", f"Speed-up: {what}", series, table)
        if any(systems.BY_NAME[system].family for system in series):
            continue    # of these only what they are measured for
        draw(_by_size, f"throughput{tail}.png", f"Throughput: {what}", series, "mb_s", "MB/s")
        draw(_by_size, f"capacity{tail}.png", f"Capacity: {what}", series, "capacity",
             "requests per second of proxy CPU")
        if _charged(series):
            draw(_breakdown, f"cpu{tail}.png", f"CPU time: {what}", series)
        if any(table.copied(row) is not None for chosen in series.values() for row in chosen):
            draw(_copied, f"copied{tail}.png", f"Copied bytes: {what}", series, table)
    for name, what, chosen in _latencies(table):
        draw(_latency, name, what, chosen)
    return drawn


def _latencies(table):
    """The distributions worth drawing: fixed rates, else one saturation."""
    points = {}
    for name in table.groups():
        for row in table.of_group(name):
            if row.point.rate:
                points.setdefault(row.point, []).append(row)
    if not points and table.rows:
        largest = max((row.point for row in table.rows.values()), key=lambda p: p.size)
        points[largest] = [row for row in table.of_group(largest.group) if row.point == largest]
    for number, (point, chosen) in enumerate(points.items(), start=1):
        kind = "at a fixed rate" if point.rate else "at saturation"
        yield f"latency-{number}.png", f"Latency {kind}: {point.name()}", chosen
