# SPDX-License-Identifier: GPL-2.0-only
"""The Markdown report of a result."""

import collections
import os

from . import rows, systems, targets
from .matrix import size_name
from .place import clock_note, suffix, warning

REPORT = "report.md"


def _table(head, lines):
    align = ["---"] + ["---:"] * (len(head) - 1)
    return ["| " + " | ".join(cells) + " |" for cells in (head, align, *lines)]


def _number(value, form="{:.4g}"):
    return "–" if value is None else form.format(value)


def _estimate(row, metric, form="{:.4g}"):
    return row.estimate(metric).text(form) if row.has(metric) else "–"


def _ratio(row, baseline, metric):
    found = row.ratio(metric, baseline)
    return found.text("{:.2f}") + "×" if found else "–"


def _ms(row, metric):
    return _number(row.median(metric) / 1000 if row.has(metric) else None)


def reproduce(result, row, baseline=None):
    """The one command for a row, and for what it is compared with."""
    configuration, options = result["configuration"], result.get("options", {})
    command = ["bench/run"]
    if configuration["kernel_name"] in ("stock", "patched", "um"):
        command += ["--where vm", f"--kernel {configuration['kernel_name']}"]
    elif configuration["where"] == "remote":
        ssh = configuration["hosts"]["proxy"]["prefix"][:1] == ["ssh"]
        command += ["--where remote", "--hosts FILE" if ssh else "--remote-stand-in netns"]
    else:
        command += ["--where netns"]
    if options.get("quick"):
        command.append("--quick")
    elif options.get("matrix_file"):
        command.append(f"--matrix {options['matrix_file']}")
    if configuration.get("clock") == "instructions":
        command.append("--icount")
    if options.get("root"):
        command.append("--root DIR")
    # --icount alone means one CPU; older results have two without having asked for them.
    icount = configuration.get("clock") == "instructions"
    smp = configuration["hosts"]["proxy"]["cpus"] if icount else options.get("smp")
    if smp and not (icount and smp == 1):
        command.append(f"--smp {smp}")
    if options.get("shorten", 1) != 1:
        command.append(f"--shorten {options['shorten']:g}")
    names = [row.point.group, *([baseline.system.name] if baseline else []), row.system.name]
    command += ["--only", *names, f"--size {size_name(row.point.size)}",
                f"--connections {row.point.connections}", f"--shape {row.point.shape}",
                f"--seed {result['seed']}"]
    return " ".join(command)


def _reproduction(result, table, chosen):
    """For the row that is most worth doubting: the largest with a baseline."""
    compared = [row for row in chosen if table.baseline(row)]
    kept = [row for row in compared if row.system.parser == "http1" or
            (row.system.lazy and not row.system.beside)]
    row = (kept or compared or chosen)[-1]
    return ["", "One row of it, measured again:", "",
            f"    {reproduce(result, row, table.baseline(row))}", ""]


def _joined(result):
    """A result of several runs says so, and what none of them finished."""
    if not result.get("joined"):
        return []
    sources = ", ".join(dict.fromkeys(run["source"] for run in result["joined"]))
    lines = [f"- joined from {len(result['joined'])} runs, of {sources}"]
    if result["left_out"]:
        names = (f"{p['group']}: {p['shape']} {size_name(p['size'])}, {p['connections']} conn."
                 for p in result["left_out"])
        lines.append(f"- begun, but not finished, and left out: {'; '.join(names)}")
    for name, (rounds, asked) in result.get("fewer_rounds", {}).items():
        lines.append(f"- {name}: {rounds} rounds, not {asked}: the run did not come to its end")
    if not result["settled"] and any(system.libra for system in _systems(result)):
        lines.append("- no run came to its end, so nobody looked what was left behind then")
    return lines


def _unfinished(result):
    """One that was ended, or died, has what it came to."""
    if result["complete"]:
        return []
    rounds = {group["name"]: [s["round"] for s in result["samples"]
                              if s["point"]["group"] == group["name"]]
              for group in result["matrix"]}
    came_to = ", ".join(f"{name} {max(seen, default=-1) + 1}" for name, seen in rounds.items())
    return [f"- **the run did not come to its end**: nobody looked what was left behind; rounds: "
            f"{came_to}"]


def _head(result):
    configuration = result["configuration"]
    proxy = configuration["hosts"]["proxy"]
    uname = proxy["uname"]
    lines = [f"# Libra benchmark {suffix(result)}", ""]
    lines += [line for said in (warning(result), clock_note(result)) if said for line in (said, "")]
    pinned = proxy["pinned"]
    lines += [
        f"- kernel {uname[2]}, {proxy['cpus']} CPUs ({configuration['cpu_model']}), "
        f"{configuration['memory']}; " + (f"the proxy is pinned to CPU {pinned}" if pinned else
                                          "not pinned: fewer CPUs than roles"),
        f"- {configuration['versions']['nginx']}; {configuration['versions']['haproxy']}" +
        "; of another root file system, with its libraries (--root)" *
        bool(result.get("options", {}).get("root")),
        f"- Libra {configuration['source']}, seed {result['seed']}",
        *_joined(result),
        *_unfinished(result),
        f"- {len(result['samples'])} samples; each system, shape and size compared byte by byte "
        f"before ({sum(v['requests'] for v in result['verified'])} requests"
        f"{', each with another body' * all('bodies' in v for v in result['verified'])})",
        "- median [95 % interval of order statistics]; with fewer than 6 rounds (the range)",
        "- ratios are those of the same round, and then their median",
        "- a percentile has ten answers or more beyond it: in each round, and then it is the "
        "rounds' median, or else in all rounds together; where there are fewer, it is not shown",
        "- capacity: requests per second of proxy CPU, the exact clock of its processes: user, "
        "system, and softirq that was charged to them", "",
    ]
    lines += _table(["system", "what", "baseline"], [
        [system.name, system.about, system.baseline or "–"] for system in _systems(result)])
    return lines + [""]


def _systems(result):
    return [system for system in systems.SYSTEMS
            if any(system.name in group["systems"] for group in result["matrix"])]


def _saturation(result, table, name):
    chosen = table.of_group(name)
    lines = [f"## {name}: at saturation {suffix(result)}", ""]
    if not all(group.get("offload", True) for group in result["matrix"] if group["name"] == name):
        lines += ["Links without segmentation offloads: fragments of single segments.", ""]
    lines += _table(
        ["row", "conn.", "system", "requests/s", "MB/s", "× baseline",
         "capacity, requests per CPU s", "× baseline", "P50 ms", "P90 ms", "P99 ms", "P99.9 ms"],
        [[rows.where(row) + (" one-shot" if row.point.one_shot else ""),
          str(row.point.connections), row.system.name,
          _estimate(row, "requests_s"), _estimate(row, "mb_s"),
          _ratio(row, table.baseline(row), "mb_s"), _estimate(row, "capacity"),
          _ratio(row, table.baseline(row), "capacity"),
          *(_ms(row, p) for p in ("p50", "p90", "p99", "p999"))]
         for row in chosen])
    lines += _reproduction(result, table, chosen)
    lines += [f"### {name}: CPU time {suffix(result)}", "",
              "CPU, user and system are what the proxy's processes were charged, softirqs in their "
              "context included. kernel threads: all of the machine but ksoftirqd (and a test device's), exactly; work "
              "that Libra leaves to a kworker is in what a row has more of it than its baseline. "
              "all softirq: the whole machine's. machine: all that the machine did, by ticks, but "
              "for what client and origin were charged; it holds what is charged to nobody, and "
              "whatever else ran. busy: of one CPU.", ""]
    lines += _table(
        ["row", "conn.", "system", "CPU µs/request", "user µs", "system µs", "CPU s/GB",
         "kernel threads µs/request", "all softirq µs", "machine µs", "busy"],
        [[rows.where(row), str(row.point.connections), row.system.name,
          _estimate(row, "cpu_us"),
          *(_number(row.median(m) if row.has(m) else None)
            for m in ("user_us", "system_us", "cpu_s_gb", "kernel_us", "softirq_us",
                      "machine_us")),
          _number(row.median("busy") if row.has("busy") else None, "{:.0%}")]
         for row in chosen])
    return lines + _reproduction(result, table, chosen)


def _fixed(result, table, name):
    chosen = table.of_group(name)
    lines = [f"## {name}: latency at a fixed rate {suffix(result)}", "",
             "The rate is a share of what the plain proxy did at saturation in this run. Latency "
             "counts from when a request was due, not from when it was sent.", ""]
    lines += _table(
        ["row", "conn.", "share", "system", "asked/s", "done/s", "P50 ms", "P90 ms", "P99 ms",
         "P99 × baseline", "P99.9 ms"],
        [[rows.where(row), str(row.point.connections), f"{row.point.rate:.0%}", row.system.name,
          _number(next(iter(row.by_round.values()))["asked_rate"]),
          _estimate(row, "requests_s"),
          *(_ms(row, p) for p in ("p50", "p90")),
          row.estimate("p99").text("{:.0f}") + " µs" if row.has("p99") else "–",
          _ratio(row, table.baseline(row), "p99"), _ms(row, "p999")]
         for row in chosen])
    return lines + _reproduction(result, table, chosen)


def _against(result, table, name):
    """Those that are compared with more than their baseline."""
    pairs = [(row, peer) for row in table.of_group(name) for peer in table.peers(row)]
    if not pairs:
        return []
    lines = [f"### {name}: against others {suffix(result)}", ""]
    metrics = ("p99",) if pairs[0][0].point.rate else ("capacity", "mb_s", "p99")
    lines += _table(["row", "conn.", "system", "against", *metrics],
                    [[rows.where(row), str(row.point.connections), row.system.name,
                      peer.system.name, *(_ratio(row, peer, metric) for metric in metrics)]
                     for row, peer in pairs])
    return lines + [""]


def _lazy(result, table):
    chosen = [row for name in table.groups() for row in table.of_group(name)
              if row.system.lazy and not row.system.beside]
    if not chosen:
        return []
    lines = [f"## Lazy mode {suffix(result)}", "",
             "Of the bytes received, those that were not written; of the bytes sent, those that "
             "were not read. Headers are in both, where strace saw how many these are. Pages, per "
             "request: filled because the proxy looked at them, or the kernel for it; unmapped because something was received into them.", ""]
    return lines + _table(
        ["row", "conn.", "system", "received", "sent", "filled", "by the kernel", "unmapped"],
        [[rows.where(row), str(row.point.connections), row.system.name,
          *(_number(table.lazy_share(row, metric, way), "{:.1%}")
            for metric, way in (("lazy_rx", "in"), ("lazy_tx", "out"))),
          *(_number(row.median(m), "{:.2f}") for m in ("fills_user", "fills_kernel", "unmaps"))]
         for row in chosen]) + [""]


def _memory(result, table):
    chosen = [row for name in table.groups() for row in table.of_group(name)
              if row.has("loaded")]
    if not chosen:
        return []
    waited = {s["memory"]["idle_s"] for s in result["samples"] if "idle" in s.get("memory", {})}
    when = " and ".join(f"{seconds:g} s" for seconds in sorted(waited))
    idle = f" Idle: the same {when} after the load's end and its connections', in the first " \
        "rounds only." if waited else ""
    lines = [f"## Memory held {suffix(result)}", "",
             "MB. Loaded: the most that was seen while the load of the window went on behind it: "
             "of the proxy's processes (Pss, files and payload memory included) and of what the "
             "kernel holds for them in anchors, by truesize. Sockets, by truesize as well, are "
             f"beside it, because bytes on their way out of an anchor count in both.{idle}", ""]

    def held(row, metric):
        return _number(row.median(metric) / 1e6, "{:.2f}") if row.has(metric) else "–"

    return lines + _table(
        ["row", "conn.", "system", "loaded", "× baseline", "processes", "anchors", "sockets",
         "idle", "× baseline", "its anchors"],
        [[rows.where(row), str(row.point.connections), row.system.name, held(row, "loaded"),
          _ratio(row, table.baseline(row), "loaded"),
          *(held(row, f"loaded_{what}") for what in ("pss", "anchors", "sockets")),
          held(row, "idle"), _ratio(row, table.baseline(row), "idle"), held(row, "idle_anchors")]
         for row in chosen]) + [""]


MEASURES = {"capacity": "capacity", "capacity_kernel": "capacity, kernel threads included",
            "cpu_s_gb": "CPU per GB", "loaded": "memory, loaded", "idle": "memory, idle"}


def _targets(result, table):
    found = list(targets.judged(table))
    if not found:
        return []
    wanted, missing = targets.unmeasured(table)
    verdicts = collections.Counter(verdict for _target, _row, _estimate, verdict in found)
    lines = [f"## Targets of lazy mode {suffix(result)}", "",
             f"{verdicts[targets.MET]} met, {verdicts[targets.OPEN]} open, "
             f"{verdicts[targets.MISSED]} missed; {missing} of {wanted} (each at each size) were not "
             "measured.", "",
             "Ratios of downloads. met: the whole interval of 95 % is; open: the median is, but "
             "some of the interval is not, or there were too few rounds for one; **missed**: the "
             "median is not.",
             ""]
    return lines + _table(
        ["system", "against", "what", "row", "conn.", "target", "measured", ""],
        [[row.system.name, target.against, MEASURES[target.metric], rows.where(row),
          str(row.point.connections), target.text(), estimate.text("{:.3f}"),
          f"**{verdict}**" if verdict == targets.MISSED else verdict]
         for target, row, estimate, verdict in found]) + [""]


def _inside(result, table):
    """What the probes saw, one line for each system, shape and size."""
    first = {}
    for name in table.groups():
        for row in table.of_group(name):
            if table.probe(row) and not row.point.rate:
                key = (row.system.name, row.point.shape, row.point.size, row.point.one_shot)
                first.setdefault(key, row)
    if not first:
        return []
    lines = [f"## Copies, system calls, parser {suffix(result)}", "",
             "copied: bytes that crossed the user boundary, in either direction, per forwarded "
             "byte, headers included in both, whoever counts; a plain proxy has 2. How many bytes "
             "pass strace says, of a plain proxy. Where Libra redeems, its counters say what of "
             "the payload was copied (and VPIs), in lazy mode what was kept and which pages were "
             "filled; elsewhere strace does. The parser's time "
             "is from BPF run-time statistics. Anchored memory: its high-water mark.", ""]
    lines += _table(
        ["row", "system", "copied", "kept", "system calls/request", "most frequent",
         "parser calls/request", "ns/call", "parser µs/request", "anchored memory, KB"],
        [_inside_line(table, row) for row in first.values()])
    return lines + _reproduction(result, table, list(first.values()))


def _kept(table, row):
    if row.system.beside:
        return None
    if row.system.lazy:
        return table.lazy_share(row, "lazy_rx", "in")
    return row.median("anchored") if row.system.parser else None


def _inside_line(table, row):
    probe = table.probe(row)
    strace, inside = probe["strace"], probe.get("inside")
    frequent = ", ".join(f"{name} {count / strace['requests']:.1f}"
                         for name, count in list(strace["calls"].items())[:3])
    line = [rows.where(row), row.system.name, _number(table.copied(row), "{:.3f}"),
            _number(_kept(table, row), "{:.1%}"),
            _number(strace["total"] / strace["requests"], "{:.1f}"), frequent]
    if not inside:
        return line + ["–"] * 4
    calls = row.median("parser_calls") if row.system.parser else None
    each = inside["parser_ns"] / inside["parser_calls"] if inside["parser_calls"] else None
    peak = inside["high_water"].get("anchor_charge_live", 0)
    return line + [_number(calls, "{:.1f}"), _number(each, "{:.0f}"),
                   _number(each * calls / 1000 if each else None), _number(peak / 1024, "{:.0f}")]


def _slopes(result, table):
    lines = []
    for title, series in table.sweep():
        fitted = [(name, rows.slope(chosen), rows.slope(chosen, "cpu_us"))
                  for name, chosen in series.items()]
        fitted = [entry for entry in fitted if entry[1]]
        if not fitted:
            continue
        lines += [f"## Proxy time against bytes: {title} {suffix(result)}", "",
                  "Least squares over the medians from 16 KB on: what a request costs, and what "
                  "each further MB of it does.", ""]
        lines += _table(["system", "system µs/MB", "system µs/request", "CPU µs/MB",
                         "CPU µs/request"],
                        [[name, *(_number(v) for v in (system[1], system[0], cpu[1], cpu[0]))]
                         for name, system, cpu in fitted])
        lines.append("")
    return lines


def text(result):
    table = rows.Table(result)
    lines = _head(result)
    for name in table.groups():
        chosen = table.of_group(name)
        if not chosen:
            continue
        fixed = any(row.point.rate for row in chosen)
        lines += (_fixed if fixed else _saturation)(result, table, name)
        lines += _against(result, table, name)
    lines += _targets(result, table)
    lines += _lazy(result, table)
    lines += _memory(result, table)
    lines += _slopes(result, table)
    lines += _inside(result, table)
    return "\n".join(lines).rstrip() + "\n"


def write(result, directory, with_plots=True):
    """Writes the report, and the plots where matplotlib is there; yields what was written."""
    os.makedirs(directory, exist_ok=True)
    body = text(result)
    pictures = []
    if with_plots:
        from . import plots  # only here: a guest has no use for matplotlib
        pictures = plots.write(result, directory)
        body += "".join(f"\n![{title}]({name})\n" for name, title in pictures)
    path = os.path.join(directory, REPORT)
    with open(path, "w", encoding="utf-8") as out:
        out.write(body)
    yield path
    yield from (os.path.join(directory, name) for name, _ in pictures)
