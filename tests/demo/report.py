# SPDX-License-Identifier: GPL-2.0-only
"""What the runs must satisfy, and the table a person reads."""

MODES = ("off", "lazy", "token")
LARGE = 256 << 10
VPI_SIZE = 32
# What recv() writes for an anchor: the VPI and two marks. A sender may read as little as the VPI.
WRITTEN = {"rx": 3 * VPI_SIZE, "tx": VPI_SIZE}
# Where the proxy's buffers are large enough for (nearly) all to be anchored.
LARGE_BUFFERS = {
    "token": {("nginx", "b"), ("nginx", "c"), ("haproxy", "b")},
    "lazy": {("nginx", "b"), ("nginx", "c")},
}
# What "copied_bytes" is; goes into the JSON as well.
COPIED = {
    "off": "2 x payload_bytes, by definition of a native copy; not counted, as nothing of Libra "
           "sees an unattached proxy",
    "lazy": "payload that was not received lazily, 4096 for each page that was filled because "
            "somebody looked, and payload that was not sent from anchors; each at least 0",
    "token": "counted by the kernel: bytes written to and read from user memory, VPIs included",
}


def violations(runs):
    """One line for each promise that a run does not keep."""
    return [f"{run['proxy']} {run['config']}, {run['libra']}, {run['size']} bytes: {what}"
            for run in runs for what in _broken(run)]


def _broken(run):
    for name in ("sha_mismatch", "errors", "fail_stops", "anchors_left", "attach_refused"):
        if run[name]:
            yield f"{name} is {run[name]}"
    for name in ("first_error", "first_mismatch", "left"):
        if name in run:
            yield f"{name}: {run[name]}"
    if run["payload_bytes"] != run["requests"] * run["size"]:
        yield (f"{run['payload_bytes']} payload bytes arrived, "
               f"not {run['requests']} x {run['size']}")
    yield from {"off": _broken_off, "lazy": _broken_lazy, "token": _broken_token}[run["libra"]](run)
    if run["size"] >= LARGE and \
            (run["proxy"], run["config"]) in LARGE_BUFFERS.get(run["libra"], ()):
        payload = run["payload_bytes"]
        if run["anchored_bytes"] < 0.95 * payload:
            yield f"anchored_bytes {run['anchored_bytes']} < 0.95 x payload_bytes {payload}"
        if run["copied_bytes"] > 0.10 * payload:
            yield f"copied_bytes {run['copied_bytes']} > 0.10 x payload_bytes {payload}"


def _broken_off(run):
    if run["moved"]:
        yield f"nothing is attached, and counters moved: {run['moved']}"


def _broken_lazy(run):
    moved = [name for name in run["moved"] if name != "anchor_charge_peak"
             and not name.startswith(("lazy_", "fallback_"))]
    if moved:
        yield f"lazy mode moved counters of token mode: {', '.join(moved)}"


def _broken_token(run):
    payload = run["payload_bytes"]
    if run["vpis_minted"] != run["vpis_redeemed"]:
        yield f"{run['vpis_minted']} anchors were minted, {run['vpis_redeemed']} redeemed"
    # On each side every byte is copied or kept, with a VPI and marks copied in the place
    # of what is kept: no third way, no gap. A sender may look at bytes more than once.
    for side, kept, vpis in (("rx", "anchored", "minted"), ("tx", "redeemed", "redeemed")):
        if run[f"{side}_payload_bytes"] != payload:
            yield f"{side}_payload_bytes is {run[f'{side}_payload_bytes']}, but {payload} arrived"
        seen = run[f"{side}_copied_bytes"] + run[f"{kept}_bytes"] \
            - WRITTEN[side] * run[f"vpis_{vpis}"]
        if seen < payload or (side == "rx" and seen > payload):
            yield f"{side} copied + {kept} - VPIs is {seen}, not the {payload} payload bytes"


def _size(count):
    return f"{count >> 20} MB" if count >= 1 << 20 else f"{count >> 10} KB"


def _cells(row, modes, width, text):
    """One cell for each mode; a dash where it was left out."""
    return "".join(f"{text(row[mode]) if mode in row else '-':>{width}}" for mode in modes)


def _copied(run):
    return f"{run['copied_bytes'] / max(run['payload_bytes'], 1):.2f}"


def _anchored(run):
    return f"{100 * run['anchored_bytes'] / max(run['payload_bytes'], 1):.1f}%"


def _cpu(run):
    return f"{run['proxy_cpu_us_per_request']:.0f}"


def table(runs, kernel, accel):
    """The modes side by side, one line for each proxy, configuration and size."""
    rows = {}
    for run in runs:
        rows.setdefault((run["proxy"], run["config"], run["size"]), {})[run["libra"]] = run
    speed = " (emulated: copies are dearer than on hardware, do not quote the times)" \
        if accel == "tcg" else ""
    kept = ("lazy", "token")
    lines = [
        f"Kernel: {kernel}, {accel}{speed}",
        "copied: payload bytes copied across the user boundary, per forwarded byte "
        "(off, a plain proxy: 2)",
        "in kernel: share of the payload that recv() left there",
        "",
        f"{'':15}{'':>7}{'':>9} |{'copied':^18}|{'in kernel':^16}|"
        f"{'proxy CPU us/request':^27}|",
        f"{'proxy':15}{'size':>7}{'requests':>9} |"
        + "".join(f"{mode:>6}" for mode in MODES) + "|" + "".join(f"{mode:>8}" for mode in kept)
        + "|" + "".join(f"{mode:>9}" for mode in MODES) + f"|{'wrong':>6}",
    ]
    for (proxy, config, size), row in rows.items():
        wrong = sum(run[name] for run in row.values()
                    for name in ("sha_mismatch", "errors", "fail_stops", "anchors_left"))
        lines.append(
            f"{proxy + ' ' + config:15}{_size(size):>7}"
            f"{sum(run['requests'] for run in row.values()):>9} |"
            + _cells(row, MODES, 6, _copied) + "|" + _cells(row, kept, 8, _anchored) + "|"
            + _cells(row, MODES, 9, _cpu) + f"|{wrong:>6}")
    return "\n".join(lines)
