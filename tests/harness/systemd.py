# SPDX-License-Identifier: GPL-2.0-only
"""A systemd of one's own, with services of one's own, in namespaces.

It is process 1 of a PID namespace, in a mount namespace where /run and /etc/systemd/system are
empty and cgroups begin at one of its own. The network namespace is the caller's. With it end its
services, all of them: it is process 1.
"""

import os
import shlex
import subprocess
import time

from .process import Process

BOOT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/systemd/system
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/systemd/system /run/libra
# What every service wants is the machine's own business, and there is no network to wait for.
for wants in /lib/systemd/system/{sysinit,basic,local-fs,sockets,timers}.target.wants; do
    [ ! -d "$wants" ] || mount -t tmpfs tmpfs "$wants"
done
ln -s /dev/null /etc/systemd/system/network-online.target
printf '[Unit]\nDescription=nothing\n' >/run/systemd/system/libra-test.target
# There is no journal.
mkdir /run/systemd/system/service.d
printf '[Service]\nStandardOutput=append:/run/libra/%%p.log\nStandardError=inherit\n' \
    >/run/systemd/system/service.d/00-log.conf
# Debian's haproxy.service binds it.
[ -e /dev/log ] || : >/dev/log
export container=libra-test
exec /lib/systemd/systemd --system --unit=libra-test.target --log-target=console --show-status=no
"""
START_TIMEOUT = 180  # of an emulated machine that has other work


class System:
    """A context manager. What is written is seen by this systemd and its services only."""

    def __init__(self, directory):
        self._directory = directory
        self._cgroup = f"/sys/fs/cgroup/libra-systemd-{os.getpid()}"
        self._had_log = os.path.exists("/dev/log")

    def __enter__(self):
        os.makedirs(self._directory, exist_ok=True)
        os.mkdir(self._cgroup)
        boot = os.path.join(self._directory, "boot")
        with open(boot, "w", encoding="ascii") as out:
            out.write(BOOT)
        enter = (f"echo $$ >{shlex.quote(self._cgroup)}/cgroup.procs; exec unshare --pid --fork "
                 f"--kill-child --mount --mount-proc --cgroup --uts bash {shlex.quote(boot)}")
        self._process = Process("systemd", ["bash", "-c", enter],
                                os.path.join(self._directory, "systemd.log"))
        try:
            self._wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.kill()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                self._remove_cgroups()
                break
            except OSError:
                time.sleep(0.1)  # its last processes are on their way
        if not self._had_log and os.path.exists("/dev/log"):
            os.unlink("/dev/log")

    def _remove_cgroups(self):
        for path, _, _ in os.walk(self._cgroup, topdown=False):
            os.rmdir(path)

    def _pid(self):
        """Of process 1, as seen from here."""
        with open(f"/proc/{self._process.pid}/task/{self._process.pid}/children",
                  encoding="ascii") as children:
            return children.read().split()[0]

    def _wait_ready(self):
        end = time.monotonic() + START_TIMEOUT
        while True:
            try:
                if self.run("systemctl", "is-active", "libra-test.target").stdout == "active\n":
                    return
            except (IndexError, FileNotFoundError):
                pass
            if not self._process.alive():
                raise RuntimeError(f"systemd ended at once: {self._process.log_tail()}")
            if time.monotonic() > end:
                raise RuntimeError(f"systemd does not come up: {self._process.log_tail()}")
            time.sleep(0.3)

    def run(self, *command, text=None, timeout=240):
        """A command among the services. Its status is the caller's to look at."""
        return subprocess.run(
            ["nsenter", "-t", self._pid(), "--mount", "--pid", "--cgroup", "--", *command],
            input=text, stdin=None if text is not None else subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=timeout)

    def check(self, *command, text=None):
        """The output of a command that has to succeed."""
        run = self.run(*command, text=text)
        if run.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {run.stderr.strip()}")
        return run.stdout

    def write(self, path, text, mode="644"):
        self.check("mkdir", "-p", os.path.dirname(path))
        self.check("tee", path, text=text)
        self.check("chmod", mode, path)

    def bind(self, path, text):
        """A file of the machine has this text, for this systemd."""
        copy = os.path.join(self._directory, path.strip("/").replace("/", "-"))
        with open(copy, "w", encoding="ascii") as out:
            out.write(text)
        self.check("mount", "--bind", copy, path)

    def exists(self, path):
        return self.run("test", "-e", path).returncode == 0

    def show(self, unit, *properties):
        return self.check("systemctl", "show", "-p", ",".join(properties), unit)

    def story(self, unit):
        """What became of a service: its state, and the end of what it has said."""
        name = unit.removesuffix(".service").split("@")[0]
        return (self.run("systemctl", "status", "--no-pager", "--full", unit).stdout +
                self.run("tail", "-n", "30", f"/run/libra/{name}.log").stdout)

    def log(self):
        return self._process.log_tail(15)
