# SPDX-License-Identifier: GPL-2.0-only
"""The same run as a guest's command: scripts/vm boots the kernel, the host writes the report."""

import os
import subprocess

from . import BENCH, ROOT, runner, setup, systems
from .error import BenchError

RESULT = "result.json"
BOOT_SECONDS = 120
# In user-mode Linux giving memory back is most of the time of a proxy's requests.
UM_MALLOC = systems.KEEP_HEAP
# Options that the guest is given as they are: (name, takes values).
PASSED = ("matrix", "root", "seed", "repetitions", "shorten", "systems", "smp")
PATHS = ("matrix", "root")
PASSED_LISTS = ("only", "size", "connections", "shape")


def estimate(groups):
    """Seconds, roughly: an emulated start of a proxy or librad takes some of them."""
    total = 0.0
    for group in groups:
        samples = group.repetitions * len(group.points) * len(group.systems)
        total += samples * (group.seconds + group.warm_up + 4)
        total += len(group.points) * len(group.systems) * 6
    return total


def guest_command(args, libra_ko):
    command = [os.path.join(BENCH, "run"), "--where", "netns", "--out", "/out",
               "--build", os.path.abspath(args.build), "--kernel", args.kernel]
    for name in PASSED:
        if value := getattr(args, name):
            command += [f"--{name}", os.path.abspath(value) if name in PATHS else str(value)]
    for name in PASSED_LISTS:
        if values := getattr(args, name):
            command += [f"--{name}", *map(str, values)]
    if args.quick:
        command.append("--quick")
    if libra_ko:
        command += ["--libra-ko", libra_ko]
    return command


def module(args):
    """The module that fits Debian's own kernel; a patched one has its own."""
    if args.kernel != "stock":
        return None
    if args.libra_ko:
        return os.path.abspath(args.libra_ko)
    script = f". {ROOT}/scripts/lib.sh; headers_version"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise BenchError(run.stderr.strip().splitlines()[-1])
    path = os.path.join(os.path.abspath(args.build), "module", run.stdout.strip(), "libra.ko")
    if not os.path.exists(path):
        raise BenchError(f"{path} is missing: run scripts/build-module")
    return path


def run(args, groups, out):
    """Boots, measures, and returns where the result is."""
    # Beside it is the module of the device that encrypts.
    needed = runner.needs_libra(groups) or any(
        system.on_device for system in runner.wanted_systems(groups))
    libra_ko = module(args) if needed else None
    os.makedirs(out, exist_ok=True)
    path = os.path.join(out, RESULT)
    if os.path.exists(path):
        os.remove(path)     # what is there in the end is of this run
    # A second of its clock is about eight of the machine's, when that counts instructions.
    slower = 10 if args.icount else 4
    limit = args.time_limit or int(BOOT_SECONDS + slower * estimate(groups))
    command = [os.path.join(ROOT, "scripts/vm"), f"--{args.kernel}", "--time-limit", str(limit),
               "--out", out, "--log", os.path.join(out, "console.log"),
               "--env", "LIBRA_BENCH_GUEST=1", "--env", f"LIBRA_SOURCE={setup.commit()}",
               *(("--smp", str(args.smp)) if args.smp else ()),
               *(("--env", "LIBRA_ICOUNT=0") if args.icount else ()),
               *(("--env", UM_MALLOC) if args.kernel == "um" else ()),
               "--", *guest_command(args, libra_ko)]
    environment = {**os.environ, "LIBRA_ICOUNT": "0"} if args.icount else None
    process = subprocess.Popen(command, env=environment)
    try:
        status = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if status != 0 or not os.path.exists(path):
        saved = f"; bench/join makes a result of the rounds in {path}" * os.path.exists(path)
        raise BenchError(f"the run in the VM failed (status {status}); the console is in "
                         f"{os.path.join(out, 'console.log')}{saved}")
    return path
