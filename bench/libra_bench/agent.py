# SPDX-License-Identifier: GPL-2.0-only
"""What runs on each host (or in each namespace) of a benchmark, and does as it is told.

One JSON object per line, requests on stdin, answers and events on stdout. Where it
runs is a matter of the command in front of it: `unshare --net` makes a namespace that
lives as long as the agent and its children, `ssh HOST` makes it another machine.
Standard library only, and no import from this package: the file may run alone.

Its end, however it comes, is the end of all that it started.
"""

import ctypes
import glob
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
TICKS = os.sysconf("SC_CLK_TCK")
BPF_PROG_TYPE_STRUCT_OPS = 27
PF_KTHREAD = 0x200000
NOT_OF_PROXY = ("ksoftirqd/", "tlsdev/")
LIBRA_STAT = "/proc/net/libra_stat"
MEMORY_GAUGES = ("anchor_charge_live", "payload_pages", "payload_processes")


def cpu_clock(pid):
    """The clock id of a process's CPU time: its threads' exact run time, not ticks."""
    return (~pid << 3) | 2


def process_group(pgid):
    """The members of a process group."""
    members = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as stat:
                if int(stat.read().rsplit(")", 1)[1].split()[2]) == pgid:
                    members.append(int(path.split("/")[2]))
        except (FileNotFoundError, ProcessLookupError):
            pass  # gone meanwhile
    return sorted(members)


def cpu_of(pids):
    """Exact CPU time in total, and how the kernel splits it."""
    total = user = system = 0
    for pid in pids:
        total += time.clock_gettime_ns(cpu_clock(pid))
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        user += int(fields[11])
        system += int(fields[12])
    return {"total_ns": total, "user_s": user / TICKS, "system_s": system / TICKS}


def kernel_threads(proc="/proc"):
    """{thread of the kernel: its exact CPU time in ns}, but for those that do the work of softirqs,
    or of a network card. None where there are none to be seen."""
    times = {}
    for path in glob.glob(f"{proc}/[0-9]*"):
        try:
            with open(f"{path}/stat", encoding="ascii", errors="replace") as stat:
                name, fields = stat.read().split("(", 1)[1].rsplit(")", 1)
            pid = os.path.basename(path)
            if int(fields.split()[6]) & PF_KTHREAD and not name.startswith(NOT_OF_PROXY):
                times[pid] = time.clock_gettime_ns(cpu_clock(int(pid)))
        except OSError:
            pass  # gone meanwhile
    return times or None


def machine_cpu():
    with open("/proc/stat", encoding="ascii") as stat:
        names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
        return {name: int(value) / TICKS
                for name, value in zip(names, stat.readline().split()[1:])}


def counters(path=LIBRA_STAT):
    try:
        with open(path, encoding="ascii") as stat:
            return {name: int(value) for name, value in (line.split() for line in stat)}
    except FileNotFoundError:
        return None


def resident(pids):
    """Bytes of memory that these processes have: what they share counts in parts."""
    total = dict.fromkeys(("pss", "rss"), 0)
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            fields = dict(line.split(":", 1) for line in rollup.readlines()[1:])
        for name in total:
            total[name] += int(fields[name.capitalize()].split()[0]) << 10
    return total


def socket_memory():
    """Bytes that this namespace's TCP sockets hold, by truesize: queued and kept in advance.
    None where the kernel does not say."""
    done = subprocess.run(["ss", "-tmnHO", "state", "connected"], capture_output=True, text=True,
                          check=True)
    found = re.findall(r"skmem:\(([^)]*)\)", done.stdout)
    if done.stdout and not found:
        return None
    parts = [re.fullmatch(r"([a-z]+)(\d+)", part) for each in found for part in each.split(",")]
    return sum(int(part[2]) for part in parts if part[1] in ("r", "w", "f", "o", "bl"))


def memory(pids):
    libra = counters() or {}
    return {**resident(pids), **{name: libra.get(name, 0) for name in MEMORY_GAUGES}}


def listening_ports():
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                ports.update(int(fields[1].rsplit(":", 1)[1], 16)
                             for fields in map(str.split, lines) if fields[3] == "0A")
        except FileNotFoundError:
            pass
    return sorted(ports)


def struct_ops_time(pid):
    """Run-time statistics of the struct_ops programs that a process holds."""
    found = {}
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        try:
            with open(path, encoding="ascii") as info:
                fields = dict(line.split(":", 1) for line in info if ":" in line)
        except FileNotFoundError:
            continue    # closed meanwhile
        if fields.get("prog_type", "").strip() == str(BPF_PROG_TYPE_STRUCT_OPS):
            found[fields["prog_id"]] = (int(fields["run_time_ns"]), int(fields["run_cnt"]))
    return {"ns": sum(ns for ns, _ in found.values()),
            "calls": sum(calls for _, calls in found.values())}


class Child:
    """A process group of ours; if watched, its lines become events."""

    def __init__(self, argv, log, watch, cpus):
        def prepare():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if cpus:
                os.sched_setaffinity(0, cpus)

        if watch:
            out = err = subprocess.PIPE
        else:
            out = err = open(log, "ab") if log else subprocess.DEVNULL
        try:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          start_new_session=True, preexec_fn=prepare)
        finally:
            if not watch and log:
                out.close()
        self.stdout = []
        self.partial = b""
        self.open_pipes = 2 if watch else 0

    def stop(self, timeout):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.popen.wait()


class Agent:
    def __init__(self):
        self.children = {}
        self.scratch = tempfile.mkdtemp(prefix="libra-bench-")
        self.selector = selectors.DefaultSelector()
        self.selector.register(0, selectors.EVENT_READ, self.on_request)
        self.pending = b""
        self.done = False
        self.peaks = None
        self.poll_every = None

    # --- what it can be told ------------------------------------------------

    def op_hello(self):
        return {"pid": os.getpid(), "uname": list(os.uname()), "cpus": os.cpu_count(),
                "scratch": self.scratch}

    def op_start(self, argv, log=None, watch=False, cpus=None):
        child = Child(argv, log, watch, cpus)
        self.children[child.popen.pid] = child
        if watch:
            for stream in ("stdout", "stderr"):
                pipe = getattr(child.popen, stream)
                os.set_blocking(pipe.fileno(), False)
                self.selector.register(pipe, selectors.EVENT_READ,
                                       lambda p=pipe, c=child, s=stream: self.on_pipe(p, c, s))
        return child.popen.pid

    def op_stop(self, pid, timeout=10):
        return self.children.pop(pid).stop(timeout)

    def op_alive(self, pid):
        return self.children[pid].popen.poll() is None

    @staticmethod
    def op_run(argv, limit=60, stdin=None):
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace",
                              input=stdin, check=False, timeout=limit)
        return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

    @staticmethod
    def op_group(pid):
        return process_group(pid)

    @staticmethod
    def op_sample(pids, kernel=False):
        """The proxy's CPU first: it is what the moment matters for. kernel: its threads as well,
        which are many."""
        return {"cpu": cpu_of(pids), "at_ns": time.monotonic_ns(), "machine": machine_cpu(),
                "libra": counters(), "kernel_threads": kernel_threads() if kernel else None}

    @staticmethod
    def op_memory(pids, looks=1, every=0.0):
        """What these processes hold, looked at so often; the sockets' share, which costs most,
        once."""
        seen = [memory(pids)]
        for _ in range(looks - 1):
            time.sleep(every)
            seen.append(memory(pids))
        return {"looks": seen, "sockets": socket_memory()}

    def op_signal(self, pid, number=signal.SIGTERM):
        """To one process, not to its group: it shall go on and say what it has seen."""
        self.children[pid].popen.send_signal(number)

    @staticmethod
    def op_struct_ops_time(pid):
        return struct_ops_time(pid)

    @staticmethod
    def op_counters():
        return counters()

    @staticmethod
    def op_listening():
        return listening_ports()

    @staticmethod
    def op_exists(path):
        return os.path.exists(path)

    @staticmethod
    def op_read(path):
        with open(path, encoding="utf-8", errors="replace") as text:
            return text.read()

    @staticmethod
    def op_write(path, text):
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)

    @staticmethod
    def op_mkdir(path):
        os.makedirs(path, exist_ok=True)

    def op_poll_gauges(self, every=0.05):
        """From now on, remember the largest values of Libra's gauges."""
        self.peaks, self.poll_every = {}, every

    def op_peaks(self):
        self.poll_every = None
        return self.peaks

    # --- the loop -----------------------------------------------------------

    @staticmethod
    def say(message):
        data = (json.dumps(message) + "\n").encode()
        while data:
            data = data[os.write(1, data):]

    def on_request(self):
        data = os.read(0, 1 << 16)
        if not data:
            self.done = True
            return
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            try:
                answer = getattr(self, "op_" + request["op"])(**request.get("args", {}))
                self.say({"id": request["id"], "answer": answer})
            except Exception as error:  # whatever it is, the runner shall say it
                self.say({"id": request["id"], "error": f"{request['op']}: {error}"})

    def on_pipe(self, pipe, child, stream):
        data = os.read(pipe.fileno(), 1 << 16)
        pid = child.popen.pid
        if data and stream == "stdout":
            child.stdout.append(data)
        elif data:
            *lines, child.partial = (child.partial + data).split(b"\n")
            for line in lines:
                self.say({"event": "line", "pid": pid, "line": line.decode(errors="replace")})
        else:
            self.selector.unregister(pipe)
            pipe.close()
            child.open_pipes -= 1
            if not child.open_pipes:
                status = child.popen.wait()
                self.children.pop(pid, None)
                self.say({"event": "exit", "pid": pid, "status": status,
                          "stdout": b"".join(child.stdout).decode(errors="replace")})

    def poll(self):
        now = counters() or {}
        for name, value in now.items():
            if name.startswith("anchor") and name.endswith("_live"):
                self.peaks[name] = max(value, self.peaks.get(name, 0))

    def run(self):
        try:
            while not self.done:
                for key, _ in self.selector.select(self.poll_every):
                    key.data()
                if self.poll_every:
                    self.poll()
        finally:
            for child in self.children.values():
                child.stop(5)
            shutil.rmtree(self.scratch, ignore_errors=True)


def main():
    # The runner decides when to end; an interrupt from the terminal is for the runner.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    Agent().run()


if __name__ == "__main__":
    main()
