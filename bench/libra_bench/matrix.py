# SPDX-License-Identifier: GPL-2.0-only
"""The matrix file: which rows are measured, in groups, so that no one needs the cross product."""

import dataclasses
import re
import tomllib
from dataclasses import dataclass, field

from . import systems
from .error import BenchError

SHAPES = ("download", "chunked", "upload", "upload-chunked")
REUSE = ("keep-alive", "one-shot")
# Ours discards in the kernel; the others are what everybody knows, and copy what they read.
CLIENTS = ("libra", "wrk", "h2load")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}
# What a group may say; what it does not say comes from [defaults].
KEYS = {
    "systems": list, "sizes": list, "connections": list, "shapes": list, "reuse": list,
    "seconds": (int, float), "warm-up": (int, float), "repetitions": int, "rates": list,
    "rate-of": dict, "probes": bool, "clients": list, "at-least": int, "idle": (int, float),
    "at-least-seconds": (int, float), "offload": bool,
}
DEFAULTS = {"shapes": ["download"], "reuse": ["keep-alive"], "rates": [], "rate-of": {},
            "probes": True, "clients": ["libra"], "at-least": 0, "idle": 0, "at-least-seconds": 0,
            "offload": True}


def size(text):
    """Bytes of "64K", "1M" or 100."""
    match = re.fullmatch(r"(\d+)([KM]?)", str(text))
    if not match or not 0 < int(match[1]) * UNITS[match[2]] <= 16 << 20:
        raise BenchError(f"'{text}' is no payload size: use 1 to 16M, e.g. 100, 64K or 1M")
    return int(match[1]) * UNITS[match[2]]


def size_name(count):
    for unit in ("M", "K"):
        if count % UNITS[unit] == 0:
            return f"{count // UNITS[unit]}{unit}"
    return str(count)


@dataclass(frozen=True)
class Point:
    """What is asked for; each system of the group answers it."""
    group: str
    shape: str
    size: int
    connections: int
    one_shot: bool = False
    rate: float = 0         # share of the saturation of rate_of; 0: closed loop
    client: str = "libra"

    def saturation(self, group):
        """The point of the closed loop that this one's rate refers to."""
        return dataclasses.replace(self, group=group, rate=0)

    def name(self):
        return " ".join([f"{self.shape} {size_name(self.size)} c{self.connections}",
                         *(["one-shot"] if self.one_shot else []),
                         *([f"at {self.rate:.0%}"] if self.rate else []),
                         *([self.client] if self.client != "libra" else [])])


@dataclass
class Group:
    name: str
    systems: list
    points: list
    seconds: float
    warm_up: float
    repetitions: int
    probes: bool
    rate_of: dict = field(default_factory=dict)
    at_least: int = 0       # answers in a window, which lasts until then
    least_seconds: float = 0    # of a window, however much others are shortened
    idle: float = 0         # seconds after a load, of the first rounds, until memory is looked at
    offload: bool = True    # False: what crosses a link is single segments


def parse(text, source="matrix"):
    """The groups of a matrix file, or an error that names what is wrong with it."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{source}: {error}") from None
    if unknown := set(tables) - {"defaults", "group"}:
        raise BenchError(f"{source}: unknown table '{min(unknown)}': use [defaults] and [[group]]")
    defaults = tables.get("defaults", {})
    entries = tables.get("group", [])
    if not isinstance(entries, list) or not entries:
        raise BenchError(f"{source}: no [[group]] in it")
    groups = [_group(entry, defaults, source) for entry in entries]
    names = [group.name for group in groups]
    if len(set(names)) != len(names):
        raise BenchError(f"{source}: two groups have the same name")
    # Or --only would mean both.
    for name in names:
        if name in systems.NAMES:
            raise BenchError(f"{source}: group '{name}' has the name of a system")
    _check_rates(groups, source)
    return groups


def _group(entry, defaults, source):
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise BenchError(f"{source}: a group has no name")
    where = f"{source}: group '{name}'"
    for keys in (entry, defaults):
        for key, value in keys.items():
            if key == "name" and keys is entry:
                continue
            if key not in KEYS:
                raise BenchError(f"{where}: unknown key '{key}': use one of {', '.join(KEYS)}")
            if not isinstance(value, KEYS[key]) or (isinstance(value, bool) != (KEYS[key] is bool)):
                raise BenchError(f"{where}: '{key}' has the wrong type")
    values = {**DEFAULTS, **defaults, **entry}
    for key in KEYS:
        if key not in values:
            raise BenchError(f"{where}: '{key}' is missing")
    _known(values["systems"], systems.NAMES, "system", where)
    _known(values["shapes"], SHAPES, "shape", where)
    _known(values["reuse"], REUSE, "reuse", where)
    _known(values["clients"], CLIENTS, "client", where)
    if set(values["clients"]) - {"libra"} and (
            values["rates"] or values["shapes"] != ["download"]
            or values["reuse"] != ["keep-alive"]):
        raise BenchError(f"{where}: only the client 'libra' has rates, shapes other than "
                         "downloads, and one-shot connections")
    for key in ("seconds", "repetitions"):
        if values[key] <= 0:
            raise BenchError(f"{where}: '{key}' must be positive")
    for key in ("warm-up", "at-least", "at-least-seconds", "idle"):
        if values[key] < 0:
            raise BenchError(f"{where}: '{key}' must not be negative")
    for count in values["connections"]:
        if not isinstance(count, int) or not 1 <= count <= 10000:
            raise BenchError(f"{where}: '{count}' is no number of connections: use 1 to 10000")
    for rate in values["rates"]:
        if not isinstance(rate, (int, float)) or not 0 < rate <= 2:
            raise BenchError(f"{where}: '{rate}' is no rate: use a share of the saturation, "
                             "e.g. 0.7")
    try:
        sizes = [size(text) for text in values["sizes"]]
    except BenchError as error:
        raise BenchError(f"{where}: {error}") from None
    points = [Point(name, shape, count, connections, reuse == "one-shot", rate, client)
              for shape in values["shapes"] for count in sizes
              for connections in values["connections"] for reuse in values["reuse"]
              for rate in values["rates"] or [0] for client in values["clients"]]
    if not points or not values["systems"]:
        raise BenchError(f"{where}: nothing to measure: a list is empty")
    return Group(name, values["systems"], points, values["seconds"], values["warm-up"],
                 values["repetitions"], values["probes"], values["rate-of"],
                 values["at-least"], values["at-least-seconds"], values["idle"],
                 values["offload"])


def _known(given, known, what, where):
    for name in given:
        if name not in known:
            raise BenchError(f"{where}: unknown {what} '{name}': use one of {', '.join(known)}")


def _check_rates(groups, source):
    """A rate is a share of something that was measured before in the same run."""
    for group in groups:
        where = f"{source}: group '{group.name}'"
        if not any(point.rate for point in group.points):
            continue
        if lost := [name for name in group.systems if name not in group.rate_of]:
            raise BenchError(f"{where}: 'rate-of' does not say whose saturation counts "
                             f"for {lost[0]}")
        for reference in set(group.rate_of.values()):
            for point in group.points:
                if not saturation_group(groups, group, point, reference):
                    raise BenchError(f"{where}: no group before it measures "
                                     f"{reference} at {point.saturation('').name()}")


def saturation_group(groups, group, point, reference):
    """The earlier group that has the closed loop which this rate refers to."""
    for earlier in groups[:groups.index(group)]:
        if reference in earlier.systems and point.saturation(earlier.name) in earlier.points:
            return earlier
    return None


@dataclass
class Choice:
    """What the command line keeps of a matrix."""
    only: list = field(default_factory=list)        # systems or groups
    systems: list = field(default_factory=list)
    sizes: list = field(default_factory=list)
    connections: list = field(default_factory=list)
    shapes: list = field(default_factory=list)
    repetitions: int = 0
    shorten: float = 1      # windows and warm-ups by this factor


def choose(groups, choice):
    """The groups, narrowed. Rates keep the saturation they refer to."""
    names = [group.name for group in groups]
    for wanted in choice.only:
        if wanted not in names and wanted not in systems.NAMES:
            raise BenchError(f"--only {wanted}: neither a system ({', '.join(systems.NAMES)}) "
                             f"nor a group ({', '.join(names)})")
    _known(choice.systems, systems.NAMES, "system", "--systems")
    wanted_groups = {name for name in choice.only if name in names}
    wanted_systems = ({name for name in choice.only if name in systems.NAMES}
                      or set(systems.NAMES)) & set(choice.systems or systems.NAMES)
    groups = [dataclasses.replace(
        group, seconds=max(group.seconds / choice.shorten, group.least_seconds),
        warm_up=group.warm_up / choice.shorten) for group in groups]
    kept = []
    for group in groups:
        if wanted_groups and group.name not in wanted_groups:
            continue
        points = [point for point in group.points
                  if (not choice.sizes or point.size in choice.sizes)
                  and (not choice.connections or point.connections in choice.connections)
                  and (not choice.shapes or point.shape in choice.shapes)]
        chosen = [name for name in group.systems if name in wanted_systems]
        if points and chosen:
            kept.append(dataclasses.replace(
                group, points=points, systems=chosen,
                repetitions=choice.repetitions or group.repetitions))
    if not kept:
        raise BenchError("nothing in the matrix fits what was chosen: see --list")
    return _with_references(groups, kept, choice)


def _with_references(groups, kept, choice):
    """Adds the saturation rows that the kept rates refer to, or refuses without them."""
    result = {group.name: group for group in kept}
    for group in kept:
        original = next(g for g in groups if g.name == group.name)
        for point in group.points:
            if not point.rate:
                continue
            for reference in {group.rate_of[name] for name in group.systems}:
                earlier = saturation_group(groups, original, point, reference)
                have = result.get(earlier.name) or dataclasses.replace(
                    earlier, points=[], systems=[],
                    repetitions=choice.repetitions or earlier.repetitions)
                wanted = point.saturation(earlier.name)
                result[earlier.name] = dataclasses.replace(
                    have, points=have.points + [wanted] * (wanted not in have.points),
                    systems=have.systems + [reference] * (reference not in have.systems))
    return [result[group.name] for group in groups if group.name in result]
