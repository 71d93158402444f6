# SPDX-License-Identifier: GPL-2.0-only
"""A whole run: verify, measure in rounds, probe, settle, and what is written of it."""

import contextlib
import dataclasses
import random
import statistics
import time

from . import libra as libra_control
from . import check, matrix, probes, sample, setup, systems
from .error import BenchError
from .progress import Progress

FORMAT = 1
# Each connection, and each buffer that the proxy has for it, comes to its turn some times.
VERIFY_REQUESTS = 12
VERIFY_CONNECTIONS = 3
PROBE_SECONDS = 1.0
# How many rounds look at the memory of idle proxies: as few as have an interval of 95 %,
# because waiting for it takes its time.
IDLE_ROUNDS = 6
# What a step takes beside its window, roughly, in seconds: for the first estimate only.
OVERHEAD = 1.0


def wanted_systems(groups):
    names = {name for group in groups for name in group.systems}
    return [system for system in systems.SYSTEMS if system.name in names]


def needs_libra(groups):
    return any(system.libra for system in wanted_systems(groups))


def shuffled(rng, names):
    """In random order; those with one parser side by side, so that librad loads it once."""
    order = rng.sample(names, len(names))
    place = {}
    for name in order:
        place.setdefault(systems.BY_NAME[name].parser or name, len(place))
    return sorted(order, key=lambda name: place[systems.BY_NAME[name].parser or name])


class Run:
    def __init__(self, topology, groups, seed, module=None, save=None):
        """save(result): called after each round, for the case that there is no other."""
        self.topology = topology
        self.save = save or (lambda _: None)
        self.groups = groups
        self.origin = None
        self.random = random.Random(seed)
        self.libra = libra_control.control(topology.proxy, topology.build["proxy"], module)
        self.result = {"format": FORMAT, "complete": False, "seed": seed, "began": time.time(),
                       "configuration": setup.describe(topology), "commands": {}, "configs": {},
                       "matrix": [dataclasses.asdict(group) for group in groups],
                       "verified": [], "samples": [], "probes": [], "order": []}
        self.progress = Progress(sum(weight for _, weight in self._steps()))

    # --- what there is to do ------------------------------------------------

    def _verifications(self):
        """[(system, offload, [point]...)]: each system, shape and size once over either kind of
        link that it is measured over."""
        for offload in (True, False):
            for system in wanted_systems(self.groups):
                points = {}
                for group in self.groups:
                    if system.name in group.systems and group.offload == offload:
                        for point in group.points:
                            points.setdefault((point.shape, point.size, point.one_shot), point)
                if points:
                    yield system, offload, list(points.values())

    def _probes(self):
        """Each system, shape and size once, in the first group that asks for it."""
        seen = set()
        for group in self.groups:
            if not group.probes:
                continue
            for point in group.points:
                for name in group.systems:
                    key = (name, point.shape, point.size, point.one_shot)
                    if key not in seen and name != "direct":
                        seen.add(key)
                        yield group, point, systems.BY_NAME[name]

    def _steps(self):
        for _, _, points in self._verifications():
            yield "verify", OVERHEAD + 0.2 * len(points)
        for group in self.groups:
            yield "samples", (group.repetitions * len(group.points) * len(group.systems)
                              * self._weight(group))
        for group, _, system in self._probes():
            yield "probe", self._probe_weight(group, system)

    @staticmethod
    def _weight(group):
        return group.seconds + group.warm_up + OVERHEAD

    @staticmethod
    def _probe_weight(group, system):
        return OVERHEAD + (min(group.seconds, PROBE_SECONDS) + group.warm_up
                           if system.libra else 0)

    # --- doing it -----------------------------------------------------------

    def go(self):
        with self._libra_if_needed(), systems.start_origin(self.topology) as origin:
            self.origin = origin
            self.result["configuration"]["sysctls"] = setup.sysctls(self.topology.proxy)
            self.result["commands"]["origin"] = origin.argv
            self._verify()
            for group in self.groups:
                self._measure_group(group)
            self._probe()
            self._settle()
        self.result["complete"] = True
        self.result["ended"] = time.time()

    def _libra_if_needed(self):
        return self.libra if needs_libra(self.groups) else contextlib.nullcontext()

    def _running(self, system, connections):
        return systems.running(self.topology, self.libra, system, connections)

    def _remember(self, system, server):
        """The command line, and the configuration that it names, of each system's first start."""
        if server is None or system.name in self.result["commands"]:
            return
        self.result["commands"][system.name] = server.argv
        for argument in server.argv:
            if argument.endswith((".conf", ".cfg")):
                self.result["configs"][system.name] = server.host.read(argument)

    def _verify(self):
        for system, offload, points in self._verifications():
            self.topology.offload(offload)
            with self._running(system, VERIFY_CONNECTIONS) as (server, service):
                self._remember(system, server)
                for point in points:
                    try:
                        exact = sample.verify(self.topology, point, service, VERIFY_REQUESTS,
                                              VERIFY_CONNECTIONS, self._compared())
                    except BenchError as error:
                        raise BenchError(f"{system.name}: {error}") from None
                    self.result["verified"].append({
                        "system": system.name, "shape": point.shape, "size": point.size,
                        "one_shot": point.one_shot, "offload": offload, **exact})
            self._check_fail_stops(system.name)
            self.progress.step(OVERHEAD + 0.2 * len(points),
                               f"{system.name}: every byte right in {len(points)} "
                               f"shape{'s' * (len(points) != 1)} and sizes")

    def _compared(self):
        """So many bodies were seen before: the next is another, whatever size it has."""
        return sum(verified["bodies"] for verified in self.result["verified"])

    def _check_fail_stops(self, what):
        now = self.libra.counters()
        if now.get("fail_stops"):
            reasons = ", ".join(name for name, value in now.items()
                                if name.startswith("fail_stop_") and value)
            raise BenchError(f"{what}: {now['fail_stops']} fail-stops ({reasons})")

    def _check_neighbour(self, system):
        if system.lazy and system.beside and not self.libra.counters().get("payload_processes"):
            raise BenchError("the process beside it has no payload memory")

    def _check_payload_memory(self, system):
        """Of a proxy that reads all payload, what stays in the kernel says nothing of that."""
        if system.lazy and not self.libra.counters().get("payload_processes"):
            raise BenchError("the proxy has no payload memory")

    def _measure_group(self, group):
        self.topology.offload(group.offload)
        for number in range(group.repetitions):
            points = self.random.sample(group.points, len(group.points))
            for point in points:
                for name in shuffled(self.random, group.systems):
                    self._measure(group, point, systems.BY_NAME[name], number)
            self.save(self.result)

    def _rate(self, group, point, system):
        """Requests per second: a share of what was measured at saturation in this run."""
        if not point.rate:
            return 0.0
        reference = group.rate_of[system.name]
        earlier = matrix.saturation_group(self.groups, group, point, reference)
        wanted = dataclasses.asdict(point.saturation(earlier.name))
        return point.rate * statistics.median(
            s["client"]["rate"] for s in self.result["samples"]
            if s["system"] == reference and s["point"] == wanted)

    def _measure(self, group, point, system, number):
        rate = self._rate(group, point, system)
        try:
            with self._running(system, point.connections) as (server, service):
                self._check_neighbour(system)
                window = sample.Window(group.seconds, group.warm_up, group.at_least, rate)
                got = sample.measure(self.topology, server, self.origin, point, service, window,
                                     group.idle if number < IDLE_ROUNDS else 0)
                self._check_payload_memory(system)
        except BenchError as error:
            raise BenchError(f"{system.name}, {point.name()}: {error}") from None
        self._check_fail_stops(f"{system.name}, {point.name()}")
        measured = {"system": system.name, "round": number, "point": dataclasses.asdict(point),
                    "asked_rate": rate, **got}
        if problem := check.not_kept(measured):
            raise BenchError(f"{system.name}, {point.name()}: {problem}")
        self.result["samples"].append(measured)
        client, proxy = got["client"], got["proxy"]
        cost = (f", {proxy['cpu_s'] / client['requests'] * 1e6:.0f} us of proxy CPU each"
                if system.charged else "")
        self.progress.step(self._weight(group), f"{group.name} {number + 1}/{group.repetitions} "
                           f"{system.name}, {point.name()}: {client['rate']:.0f}/s{cost}")

    def _probe(self):
        for group, point, system in self._probes():
            self.topology.offload(group.offload)
            entry = {"system": system.name, "point": dataclasses.asdict(point)}
            try:
                with self._running(system, point.connections) as (server, service):
                    entry["strace"] = probes.system_calls(self.topology, server, point, service)
                    if system.libra:
                        entry["inside"] = probes.libra_inside(
                            self.topology, self.libra.librad if system.parser else None, point,
                            service, sample.Window(min(group.seconds, PROBE_SECONDS),
                                                   group.warm_up, group.at_least))
            except BenchError as error:
                raise BenchError(f"{system.name}, {point.name()}, probe: {error}") from None
            self.result["probes"].append(entry)
            calls = entry["strace"]["total"] / entry["strace"]["requests"]
            self.progress.step(self._probe_weight(group, system),
                               f"{system.name}, {point.name()}: {calls:.1f} system calls each")

    def _settle(self):
        """Nothing may be left behind, and no connection may have been given up."""
        if not needs_libra(self.groups):
            self.result["settled"] = None
            return
        left = self.libra.settle()
        self.result["settled"] = {"left": left, "counters": self.libra.counters()}
        if left:
            raise BenchError(f"left behind: {left}")
        self._check_fail_stops("at the end")
