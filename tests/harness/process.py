# SPDX-License-Identifier: GPL-2.0-only
"""A child process (with its own children) that never outlives its owner."""

import ctypes
import glob
import multiprocessing
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
CPUCLOCK_SCHED = 2  # include/linux/posix-timers_types.h, with the process's number above it


def end_with_parent():
    """preexec_fn: the child gets SIGTERM when this process ends, however it ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _say(pipe, function, arguments):
    os.setsid()
    pipe.send(function(*arguments))


def in_new_session(function, *arguments, timeout=60):
    """What it returns in a process that is nobody's of this one's session."""
    pipe, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_say, args=(theirs, function, arguments), daemon=True)
    process.start()
    assert pipe.poll(timeout), "the process does not answer"
    result = pipe.recv()
    process.join(20)
    return result


class Process:
    """Use as a context manager: leaving it ends the process group."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=end_with_parent,
                env={**os.environ, **(environment or {})})
        self.pid = self._popen.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        return self._popen.poll() is None

    def wait(self, timeout):
        return self._popen.wait(timeout)

    def stop(self, timeout=10):
        """SIGTERM, and SIGKILL for what does not listen. Returns the exit status."""
        if self.alive():
            self._popen.terminate()
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        self.kill()
        return self._popen.returncode

    def signal(self, number):
        self._popen.send_signal(number)

    def hang_up(self, timeout=60):
        """SIGHUP, for what is expected to end by it. Returns the exit status."""
        self._popen.send_signal(signal.SIGHUP)
        return self._popen.wait(timeout)

    def kill(self):
        """SIGKILL for the whole group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._popen.wait()

    def log_tail(self, lines=3):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return " | ".join(text.read().strip().splitlines()[-lines:]) or "(it said nothing)"

    def cpu_us(self):
        """CPU time that the processes of the group have used so far, in microseconds."""
        return sum(_cpu_us(int(pid)) for pid in _group(self.pid))


def _group(pgid):
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{path}/stat", encoding="ascii") as stat:
                if int(stat.read().rsplit(")", 1)[1].split()[2]) == pgid:
                    yield os.path.basename(path)
        except (FileNotFoundError, ProcessLookupError):
            pass  # gone meanwhile


def _cpu_us(pid):
    """Of all its threads; in nanoseconds, a tick is as long as many requests."""
    try:
        return time.clock_gettime_ns(~pid << 3 | CPUCLOCK_SCHED) / 1000
    except OSError:
        return 0  # gone meanwhile
