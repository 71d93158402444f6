# SPDX-License-Identifier: GPL-2.0-only
"""The command lines of bench/run, bench/report, bench/check, bench/current and bench/join."""

import argparse
import functools
import glob
import json
import os
import signal
import sys
import time

from . import (BENCH, ROOT, check, data_path, join, matrix, remote, report, runner, setup, systems,
               topology, vm)
from .error import BenchError

RESULT = "result.json"


class Interrupted(BenchError):
    pass


def _interrupt(number, _frame):
    raise Interrupted(f"ended by {signal.Signals(number).name}")


def run_options():
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Measures the systems of a matrix against each other.")
    parser.add_argument("--where", choices=("vm", "netns", "remote"), required=True,
                        help="vm: in a virtual machine; netns: in namespaces of this machine; "
                             "remote: on the hosts of --hosts")
    parser.add_argument("--matrix", metavar="FILE", help="default: bench/matrix/full.toml")
    parser.add_argument("--quick", action="store_true", help="take bench/matrix/quick.toml")
    parser.add_argument("--seed", type=int, default=1, help="of every random order (default: 1)")
    parser.add_argument("--out", metavar="DIR", help="default: build/bench/DATE")
    parser.add_argument("--build", metavar="DIR", default=os.path.join(ROOT, "build"),
                        help="CMake's build directory (default: build/ of this tree)")
    parser.add_argument("--repetitions", type=int, default=0, metavar="N",
                        help="instead of the matrix's")
    parser.add_argument("--shorten", type=float, default=1, metavar="N",
                        help="divide each window and warm-up by N: where --icount keeps the "
                             "rounds alike, 10 will do")
    choice = parser.add_argument_group("what of the matrix")
    choice.add_argument("--only", nargs="+", default=[], metavar="SYSTEM|GROUP")
    choice.add_argument("--systems", metavar="A,B,...", help="leave out all others")
    choice.add_argument("--size", nargs="+", default=[], metavar="SIZE", help="e.g. 64K 1M")
    choice.add_argument("--connections", nargs="+", type=int, default=[], metavar="N")
    choice.add_argument("--shape", nargs="+", default=[], choices=matrix.SHAPES)
    choice.add_argument("--list", action="store_true", help="show the rows and end")
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--kernel", choices=("stock", "patched", "um"), default="stock",
                         help="with --where vm (default: stock); um: user-mode Linux, with "
                              "--matrix bench/matrix/um.toml")
    machine.add_argument("--time-limit", type=int, metavar="S",
                         help="with --where vm: end it then (default: four times the estimate)")
    machine.add_argument("--icount", action="store_true",
                         help="with --where vm, emulated: its clock counts instructions, which "
                              "nothing else on the machine can disturb; one CPU, unless --smp "
                              "says otherwise")
    machine.add_argument("--smp", type=int, metavar="N",
                         help="with --where vm: so many CPUs (default: scripts/vm's)")
    machine.add_argument("--libra-ko", metavar="FILE",
                         help="with --where netns: the module to load (default: modprobe libra)")
    machine.add_argument("--root", metavar="DIR",
                         help="the nginx and HAProxy of another root file system, with its loader "
                              "and libraries (default: those that are installed)")
    machine.add_argument("--hosts", metavar="FILE",
                         help="with --where remote: who they are, see bench/remote/")
    machine.add_argument("--remote-stand-in", choices=("netns",),
                         help="with --where remote: namespaces in the place of hosts")
    parser.add_argument("--no-plots", action="store_true")
    return parser


def groups_of(args):
    """The groups of the matrix that the options keep."""
    if args.quick and args.matrix:
        raise BenchError("--quick and --matrix exclude each other")
    if args.repetitions < 0:
        raise BenchError("--repetitions must be positive")
    if not 1 <= args.shorten <= 100:
        raise BenchError(f"--shorten {args.shorten:g}: use 1 to 100")
    path = args.matrix or os.path.join(BENCH, "matrix", "quick.toml" if args.quick else "full.toml")
    try:
        with open(path, encoding="utf-8") as text:
            groups = matrix.parse(text.read(), path)
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
    return matrix.choose(groups, matrix.Choice(
        only=args.only, systems=args.systems.split(",") if args.systems else [],
        sizes=[matrix.size(text) for text in args.size], connections=args.connections,
        shapes=args.shape, repetitions=args.repetitions, shorten=args.shorten))


def write_result(result, directory, root=None):
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, RESULT)
    text = json.dumps(result)
    # Where this tree lies, or another, is of no use to anybody else.
    if root:
        text = text.replace(f"{root}/", "DIR/").replace(json.dumps(root), '"DIR"')
    text = text.replace(ROOT, ".")
    # Whoever dies while it writes has the one before.
    with open(path + ".new", "w", encoding="ascii") as out:
        out.write(text + "\n")
    os.replace(path + ".new", path)
    return path


def run_here(args, groups, out):
    """In this machine's namespaces or on hosts; writes the result, whole or not."""
    build = os.path.abspath(args.build)
    root = args.root and os.path.abspath(args.root)
    save = functools.partial(write_result, directory=out, root=root)
    wanted = runner.wanted_systems(groups)
    links = (build, any(system.on_device for system in wanted), args.libra_ko)
    where = (remote.hosts(args.hosts, args.remote_stand_in, *links) if args.where == "remote"
             else topology.namespaces(*links))
    with where as place:
        place.root = root or ""
        setup.check(place, wanted,
                    {point.client for group in groups for point in group.points},
                    not all(group.offload for group in groups) or links[1])
        run = runner.Run(place, groups, args.seed, args.libra_ko, save=save)
        run.result["options"] = {"matrix_file": args.matrix and os.path.relpath(args.matrix, ROOT),
                                 "quick": args.quick, "shorten": args.shorten,
                                 "smp": args.smp, "root": bool(root), "kernel": args.kernel,
                                 "argv": sys.argv[1:]}
        try:
            run.go()
            if args.where == "remote":
                run.result["remote"] = place.records()
        finally:
            # Whatever happens when the place is left.
            path = save(run.result)
    return path


def main(argv=None):
    args = run_options().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        groups = groups_of(args)
        # All virtual CPUs share one clock of instructions: see place.clock_note().
        if args.icount and not args.smp:
            args.smp = 1
        if args.list:
            print(listing(groups))
            return 0
        out = args.out or os.path.join(ROOT, "build/bench", time.strftime("%Y%m%d-%H%M%S"))
        if args.where == "vm":
            path = vm.run(args, groups, out)
        else:
            path = run_here(args, groups, out)
        if os.environ.get("LIBRA_BENCH_GUEST"):
            return 0    # the host writes the report
        check.require(_load(path))
        return _write_report(path, out, not args.no_plots)
    except Interrupted as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 130
    except (BenchError, OSError) as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 1


def listing(groups):
    lines = []
    for group in groups:
        lines.append(f"{group.name}: {len(group.points)} points, {len(group.systems)} systems, "
                     f"{group.repetitions} times {group.seconds:g} s")
        lines += [f"    {point.name()}" for point in group.points]
        lines.append(f"    systems: {', '.join(group.systems)}")
    lines.append("")
    lines += [f"{system.name:16}{system.about}" for system in systems.SYSTEMS]
    return "\n".join(lines)


def _load(path):
    try:
        with open(path, encoding="ascii") as text:
            result = json.load(text)
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BenchError(f"{path}: not a result of bench/run: {error}") from None
    if not isinstance(result, dict) or result.get("format") != runner.FORMAT:
        raise BenchError(f"{path}: not a result of this version of bench/run")
    return result


def _write_report(path, out, with_plots):
    for written in report.write(_load(path), out, with_plots):
        print(written)
    return 0


def _told(program, work):
    """The exit status of a tool; what goes wrong is one line."""
    try:
        return work()
    except (BenchError, OSError) as error:
        print(f"bench/{program}: {error}", file=sys.stderr)
        return 1


def report_main(argv=None):
    parser = argparse.ArgumentParser(prog="bench/report",
                                     description="Writes report.md and the plots of a result.")
    parser.add_argument("result", metavar="RESULT.json")
    parser.add_argument("--out", metavar="DIR", help="default: where the result is")
    parser.add_argument("--no-plots", action="store_true")
    args = parser.parse_args(argv)
    out = args.out or os.path.dirname(os.path.abspath(args.result))
    return _told("report", lambda: _write_report(args.result, out, not args.no_plots))


def check_main(argv=None):
    parser = argparse.ArgumentParser(
        prog="bench/check", description="Is a result complete, and was every byte right?")
    parser.add_argument("result", metavar="RESULT.json")
    args = parser.parse_args(argv)

    def work():
        result = _load(args.result)
        check.require(result)
        print(f"bench/check: {len(result['samples'])} samples, {len(result['verified'])} verified "
              f"rows, {len(result['probes'])} probes: complete and exact")
        return 0
    return _told("check", work)


def current_main(argv=None):
    parser = argparse.ArgumentParser(
        prog="bench/current", description="Are results of the data path that is in this tree? "
        "Ends with 1 if one is not, and nobody said why its figures stand.")
    parser.add_argument("results", metavar="RESULT.json", nargs="*",
                        help="default: all in bench/results")
    parser.add_argument("--fingerprint", action="store_true", help="show those of this tree")
    args = parser.parse_args(argv)

    def work():
        now = data_path.fingerprints()
        if args.fingerprint:
            print("\n".join(f"{mode} {found}" for mode, found in now.items()))
            return 0
        refused = 0
        for path in args.results or sorted(glob.glob(f"{BENCH}/results/*/{RESULT}")):
            try:
                # Not by _load(): those of the micro-benchmarks are results as well.
                with open(path, encoding="utf-8") as text:
                    changed = data_path.since(json.load(text), os.path.dirname(path), now)
            except (BenchError, ValueError, KeyError) as error:
                refused += 1
                print(f"bench/current: {error}", file=sys.stderr)
                continue
            said = "; ".join(f"{mode} mode has changed since: {why}" for mode, why in changed)
            print(f"{os.path.relpath(path)}: {said or 'of this data path'}")
        return 1 if refused else 0
    return _told("current", work)


def join_main(argv=None):
    parser = argparse.ArgumentParser(
        prog="bench/join", description="Makes one result of several runs of one machine: a group "
        "counts from the first that measured it. Writes the report as well.")
    parser.add_argument("out", metavar="DIR", help="where to")
    parser.add_argument("results", metavar="RESULT.json", nargs="+")
    parser.add_argument("--no-plots", action="store_true")
    args = parser.parse_args(argv)

    def work():
        joined = join.join([(path, _load(path)) for path in args.results])
        return _write_report(write_result(joined, args.out), args.out, not args.no_plots)
    return _told("join", work)
