# SPDX-License-Identifier: GPL-2.0-only
"""One result of several runs, for a matrix that was not measured in one piece."""

import json

from . import check
from .error import BenchError

# What has to be the same, or the rows of one table would not be comparable.
ALIKE = ("where", "link", "accel", "clock", "kernel_name", "hosts", "cpu_model", "sysctls",
         "data_path")


def _whole(result, group):
    """What of a group was measured by every system: all points in so many of its rounds, from
    the first on, or where not even one round came to its end, the points that did."""
    seen = check.measured(result)

    def points(rounds):
        wanted = {**group, "repetitions": rounds}
        return [point for point in group["points"] if check.expected(wanted, [point]) <= seen]

    for rounds in range(group["repetitions"], 0, -1):
        if points(rounds) == group["points"]:
            return {**group, "repetitions": rounds}
    return {**group, "points": points(group["repetitions"])}


def _alike(first, other, path):
    for name in ALIKE:
        if first["configuration"].get(name) != other["configuration"].get(name):
            raise BenchError(f"{path}: '{name}' is not as in the first result")
    if first["options"].get("shorten", 1) != other["options"].get("shorten", 1):
        raise BenchError(f"{path}: other windows than in the first result (--shorten)")
    if bool(first["options"].get("root")) != bool(other["options"].get("root")):
        raise BenchError(f"{path}: other proxies than in the first result (--root)")


def _append_new(to, entries, names):
    def key(entry):
        return json.dumps([entry.get(name, True) for name in names], sort_keys=True)

    have = {key(entry) for entry in to}
    to += [entry for entry in entries if key(entry) not in have]


def _is_rest_of(group, whole):
    """Other points of the same group, measured alike: a run with --size, say."""
    alike = {**group, "points": whole["points"]} == whole
    return alike and not any(point in group["points"] for point in whole["points"])


def _leave_out(joined, results):
    """Names what some run began and none finished."""
    whole = [point for group in joined["matrix"] for point in group["points"]]
    for _, result in results:
        for sample in result["samples"]:
            if sample["point"] not in whole and sample["point"] not in joined["left_out"]:
                joined["left_out"].append(sample["point"])


def _complete_points(result):
    """Older results do not say which client it was."""
    groups = [point for group in result["matrix"] for point in group["points"]]
    for point in groups + [sample["point"] for sample in result["samples"] + result["probes"]]:
        point.setdefault("client", "libra")


def join(results):
    """results: [(path, result)]. A point of a group is taken whole from the first that has it,
    but for rounds or points that this run did not finish; those are named in "fewer_rounds" and
    "left_out". Parts of a group have to be of the same systems and rounds."""
    first = results[0][1]
    for _, result in results:
        _complete_points(result)
    joined = {**first, "matrix": [], "samples": [], "verified": [], "probes": [], "joined": [],
              "left_out": [], "fewer_rounds": {}, "complete": True, "settled": None}
    for path, result in results:
        _alike(first, result, path)
        have = {group["name"]: group for group in joined["matrix"]}
        for group in result["matrix"]:
            whole = _whole(result, group)
            earlier = have.get(group["name"])
            if not whole["points"] or earlier and not _is_rest_of(earlier, whole):
                continue
            if earlier:
                earlier["points"] = earlier["points"] + whole["points"]
            else:
                joined["matrix"].append(whole)
            joined["samples"] += [sample for sample in result["samples"]
                                  if sample["point"] in whole["points"]
                                  and sample["round"] < whole["repetitions"]]
            if whole["repetitions"] < group["repetitions"]:
                joined["fewer_rounds"][group["name"]] = [whole["repetitions"],
                                                         group["repetitions"]]
        _append_new(joined["verified"], result["verified"],
                    ("system", "shape", "size", "one_shot", "offload"))
        _append_new(joined["probes"], result["probes"], ("system", "point"))
        for name in ("commands", "configs"):
            joined[name] = {**result[name], **joined[name]}
        joined["joined"].append({
            "source": result["configuration"]["source"], "began": result["began"],
            "ended": result.get("ended"), "options": result["options"],
            "complete": result["complete"]})
        if result.get("settled"):
            before = joined["settled"] or {"left": {}, "counters": {}}
            joined["settled"] = {
                "left": {**before["left"], **result["settled"]["left"]},
                "counters": {name: before["counters"].get(name, 0) + value
                             for name, value in result["settled"]["counters"].items()}}
    _leave_out(joined, results)
    check.require(joined)
    return joined
