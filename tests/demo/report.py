# SPDX-License-Identifier: GPL-2.0-only
"""What the runs must satisfy, and the table a person reads."""

LARGE = 256 << 10
VPI_SIZE = 32
# What recv() writes for an anchor: the VPI and two marks. A sender may read as little as the VPI.
WRITTEN = {"rx": 3 * VPI_SIZE, "tx": VPI_SIZE}
# Where the proxy's buffers are large enough for (nearly) all to be anchored.
LARGE_BUFFERS = {("nginx", "b"), ("nginx", "c"), ("haproxy", "b")}


def violations(runs):
    """One line for each promise that a run does not keep."""
    return [f"{run['proxy']} {run['config']}, Libra {run['libra']}, {run['size']} bytes: {what}"
            for run in runs for what in _broken(run)]


def _broken(run):
    for name in ("sha_mismatch", "errors", "fail_stops", "anchors_left", "attach_refused"):
        if run[name]:
            yield f"{name} is {run[name]}"
    for name in ("first_error", "first_mismatch", "left"):
        if name in run:
            yield f"{name}: {run[name]}"
    if run["vpis_minted"] != run["vpis_redeemed"]:
        yield f"{run['vpis_minted']} anchors were minted, {run['vpis_redeemed']} redeemed"
    payload, copied, anchored = (run[name] for name in
                                 ("payload_bytes", "copied_bytes", "anchored_bytes"))
    if payload != run["requests"] * run["size"]:
        yield f"{payload} payload bytes arrived, not {run['requests']} x {run['size']}"
    # On each side every byte is copied or kept, with a VPI and marks copied in the place
    # of what is kept: no third way, no gap. A sender may look at bytes more than once.
    for side, kept, vpis in (("rx", "anchored", "minted"), ("tx", "redeemed", "redeemed")):
        if run[f"{side}_payload_bytes"] != payload:
            yield f"{side}_payload_bytes is {run[f'{side}_payload_bytes']}, but {payload} arrived"
        seen = run[f"{side}_copied_bytes"] + run[f"{kept}_bytes"] \
            - WRITTEN[side] * run[f"vpis_{vpis}"]
        if seen < payload or (side == "rx" and seen > payload):
            yield f"{side} copied + {kept} - VPIs is {seen}, not the {payload} payload bytes"
    if run["libra"] == "off":
        if anchored:
            yield f"{anchored} bytes were anchored in dry-run"
    elif run["size"] >= LARGE and (run["proxy"], run["config"]) in LARGE_BUFFERS:
        if anchored < 0.95 * payload:
            yield f"anchored_bytes {anchored} < 0.95 x payload_bytes {payload}"
        if copied > 0.10 * payload:
            yield f"copied_bytes {copied} > 0.10 x payload_bytes {payload}"


def _size(count):
    return f"{count >> 20} MB" if count >= 1 << 20 else f"{count >> 10} KB"


def table(runs, kernel, accel):
    """Off and token side by side, one line for each proxy, configuration and size."""
    pairs = {}
    for run in runs:
        pairs.setdefault((run["proxy"], run["config"], run["size"]), {})[run["libra"]] = run
    speed = " (emulated: copies are dearer than on hardware, do not quote the times)" \
        if accel == "tcg" else ""
    lines = [
        f"Kernel: {kernel}, {accel}{speed}",
        "copied: payload bytes copied across the user boundary, per forwarded byte "
        "(a plain proxy: 2)",
        "",
        f"{'proxy':10}{'size':>8}{'requests':>10}   {'copied off > token':18}{'anchored':>9}   "
        f"{'proxy CPU us/request off > token':32}{'wrong':>6}",
    ]
    for (proxy, config, size), pair in pairs.items():
        off, on = pair["off"], pair["token"]
        copied = " > ".join(f"{run['copied_bytes'] / max(run['payload_bytes'], 1):.2f}"
                            for run in (off, on))
        cpu = " > ".join(f"{run['proxy_cpu_us_per_request']:.0f}" for run in (off, on))
        wrong = sum(run[name] for run in (off, on)
                    for name in ("sha_mismatch", "errors", "fail_stops", "anchors_left"))
        lines.append(
            f"{proxy + ' ' + config:10}{_size(size):>8}{off['requests'] + on['requests']:>10}   "
            f"{copied:18}{100 * on['anchored_bytes'] / max(on['payload_bytes'], 1):>8.1f}%   "
            f"{cpu:32}{wrong:>6}")
    return "\n".join(lines)
