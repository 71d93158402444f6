# SPDX-License-Identifier: GPL-2.0-only
"""The runner's end of an agent: commands go to a role, wherever that is.

A role is reached by a prefix in front of the agent's command, and by nothing else:
`unshare --net` for a namespace, `ssh HOST` for a machine.
"""

import collections
import json
import os
import queue
import subprocess
import threading
import time

from .error import BenchError

AGENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "agent.py")
PYTHON = "/usr/bin/python3"


class Host:
    """A context manager; what it started ends with it."""

    def __init__(self, role, prefix=(), agent=AGENT):
        self.role = role
        self.prefix = list(prefix)
        self._events = collections.defaultdict(collections.deque)
        self._messages = queue.Queue()
        self._next = 0
        self._popen = subprocess.Popen([*self.prefix, PYTHON, agent], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()
        try:
            hello = self.call("hello", timeout=120)
        except BaseException:
            self.close()
            raise
        self.pid = hello["pid"]
        self.uname = hello["uname"]
        self.cpus = hello["cpus"]
        self.scratch = hello["scratch"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """The agent ends at the end of its input, and ends its children."""
        try:
            self._popen.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._popen.wait(60)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def _read(self):
        for line in self._popen.stdout:
            try:
                self._messages.put(json.loads(line))
            except ValueError:
                self._messages.put({"gone": line.decode(errors="replace").strip()})
        self._messages.put(None)

    def _receive(self, end):
        try:
            message = self._messages.get(timeout=max(end - time.monotonic(), 0.001))
        except queue.Empty:
            raise BenchError(f"{self.role}: no answer in time") from None
        if message is None or "gone" in message:
            self._messages.put(None)  # whoever asks next learns it, too
            said = f": {message['gone']}" if message else ""
            raise BenchError(f"{self.role}: the agent behind '{' '.join(self.prefix)}' "
                             f"has ended{said}")
        if "event" in message:
            self._events[message["pid"]].append(message)
            return None
        return message

    def call(self, op, timeout=60, **args):
        self._next += 1
        request = json.dumps({"id": self._next, "op": op, "args": args}) + "\n"
        try:
            self._popen.stdin.write(request.encode())
            self._popen.stdin.flush()
        except BrokenPipeError:
            pass  # _receive() says so
        end = time.monotonic() + timeout
        while True:
            message = self._receive(end)
            if message and message["id"] == self._next:
                if "error" in message:
                    raise BenchError(f"{self.role}: {message['error']}")
                return message["answer"]

    def event(self, pid, timeout):
        """The next line or the exit of a watched process."""
        end = time.monotonic() + timeout
        while not self._events[pid]:
            self._receive(end)
        event = self._events[pid].popleft()
        if event["event"] == "exit":
            del self._events[pid]
        return event

    def path(self, name):
        return os.path.join(self.scratch, name)

    def run(self, argv, timeout=60, check=True, **args):
        done = self.call("run", timeout + 30, argv=[str(a) for a in argv], limit=timeout, **args)
        if check and done["status"] != 0:
            said = (done["stderr"] or done["stdout"]).strip().splitlines()
            raise BenchError(f"{self.role}: {' '.join(map(str, argv))}: "
                             f"{said[-1] if said else 'status ' + str(done['status'])}")
        return done

    def read(self, path):
        return self.call("read", path=path)

    def write(self, path, text):
        self.call("write", path=path, text=text)


class Server:
    """A process on a host, or so many of one group, that listens on a port. A context manager."""

    def __init__(self, host, name, argv, port, cpus=None, processes=1, timeout=120):
        self.host = host
        self.name = name
        self.argv = [str(a) for a in argv]
        self.log = host.path(f"{name}.log")
        self.pid = host.call("start", argv=self.argv, log=self.log, cpus=cpus)
        try:
            self.pids = self._wait(port, processes, timeout)
        except BaseException:
            self.stop()
            raise

    def _wait(self, port, processes, timeout):
        """nginx's master listens before its worker is there, and the worker's time counts."""
        end = time.monotonic() + timeout
        while True:
            if port in self.host.call("listening"):
                pids = self.host.call("group", pid=self.pid)
                if len(pids) >= processes:
                    return pids
            if not self.host.call("alive", pid=self.pid):
                raise BenchError(f"{self.name} ended at once: {self.log_tail()}")
            if time.monotonic() > end:
                raise BenchError(f"{self.name} does not listen on port {port}: "
                                 f"{self.log_tail()}")
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def worker(self):
        """The process that does the work: not nginx's master."""
        return next((pid for pid in self.pids if pid != self.pid), self.pid)

    def stop(self):
        self.host.call("stop", pid=self.pid)

    def log_tail(self):
        lines = self.host.read(self.log).strip().splitlines()
        return " | ".join(lines[-3:]) or "(it said nothing)"
