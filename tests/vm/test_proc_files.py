#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""/proc/net/libra_sockets and libra_payload: who may read them, and what ends meanwhile."""

import contextlib
import errno
import os
import subprocess
import threading

import vmtest
from harness import libra, netns
from harness.load import complaint
from harness.pair import connect

ORIGIN, LISTEN, LAZY = "127.0.0.1:8001", "127.0.0.1:8101", "127.0.0.1:8103"
FILES = ("libra_sockets", "libra_payload")
KINDS = {"libra_sockets": {"socket"}, "libra_payload": {"process", "stream"}}
AS_NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
# In this order: whose files of a network namespace are is settled when that is made.
ROOT_OF_ITS_OWN = ("unshare", "-Ur", "unshare", "-n")


def cat(path, *how):
    return subprocess.run([*how, "cat", path], capture_output=True, text=True, check=False,
                          timeout=60)


def refused(case, path, why, *how):
    run = cat(path, *how)
    case.check(run.returncode != 0 and why in run.stderr and run.stdout == "",
               f"{' '.join(how)} {path}: status {run.returncode}, {run.stdout!r}, {run.stderr!r}")


def permissions(tap):
    accepted, connecting = connect(8101)
    with accepted, connecting:
        with tap.case("root reads of the connection, others do not") as case:
            for name in FILES:
                path = f"/proc/net/{name}"
                run = cat(path)
                case.equal(run.returncode, 0, run.stderr)
                refused(case, path, "Permission denied", *AS_NOBODY)
                refused(case, path, "Operation not permitted",
                        "setpriv", "--bounding-set", "-net_admin")
            case.check(" peer={}:{} ".format(*accepted.getpeername())
                       in cat("/proc/net/libra_sockets").stdout, "it is not shown")
        with tap.case("a root that anybody can make reads its own, and no others") as case:
            for name in FILES:
                for how in ((), AS_NOBODY):
                    run = cat(f"/proc/self/net/{name}", *how, *ROOT_OF_ITS_OWN)
                    case.equal(run.stdout, f"{name} 1\n", f"{how}: {run.stderr}")
                # To the mode of the file it is the same root.
                refused(case, f"/proc/{os.getpid()}/net/{name}", "Operation not permitted",
                        *ROOT_OF_ITS_OWN)
                refused(case, f"/proc/{os.getpid()}/net/{name}", "Permission denied",
                        *AS_NOBODY, *ROOT_OF_ITS_OWN)


@contextlib.contextmanager
def opened():
    """Both files, of which the first piece was read."""
    with contextlib.ExitStack() as stack:
        files = {}
        for name in FILES:
            files[name] = os.open(f"/proc/self/net/{name}", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, files[name])
            assert os.read(files[name], 3) == b"lib"
        yield files


def namespace_goes(tap):
    with tap.case("a file that is open stays that of its network namespace") as case:
        with contextlib.ExitStack() as stack:
            with netns.another():
                files = stack.enter_context(opened())
            for name, file in files.items():
                case.equal(os.read(file, 4096), f"{name} 1\n".encode()[3:], name)
                case.equal(os.read(file, 4096), b"", f"the end of {name}")


def module_goes(env, tap):
    if not os.path.isdir("/sys/module/libra/holders"):
        tap.skip("the module goes while they are open", "libra is built into this kernel")
        return
    with tap.case("the module goes while they are open") as case:
        with opened() as files:
            libra.unload_module()
            for name, file in files.items():
                try:
                    os.lseek(file, 0, os.SEEK_SET)
                    case.equal(os.read(file, 4096), b"", f"{name} without the module")
                except OSError as error:
                    case.check(error.errno in (errno.EIO, errno.EINVAL), f"{name}: {error}")
            libra.load_module(env.args.libra_ko)
        for name in FILES:
            case.equal(cat(f"/proc/net/{name}").stdout, f"{name} 1\n", "of the new one")


class Reader(threading.Thread):
    """Reads again and again, in pieces of a size; @wrong are lines that cannot be."""

    def __init__(self, name, size):
        super().__init__(daemon=True)
        self._name = name
        self._size = size
        self._over = threading.Event()
        self.lines = 0
        self.wrong = []
        self.start()

    def run(self):
        while not self._over.is_set():
            with open(f"/proc/thread-self/net/{self._name}", "rb", buffering=0) as file:
                text = b"".join(iter(lambda: file.read(self._size), b"")).decode()
            title, *lines = text.splitlines()
            self.wrong += [] if title == f"{self._name} 1" else [title]
            for line in lines:
                kind, *fields = line.split(" ")
                good = kind in KINDS[self._name] and len(line) < 1024 and line.isprintable() and \
                    all(key and equals for key, equals, _ in (f.partition("=") for f in fields))
                self.wrong += [] if good else [line]
            self.lines += len(lines)

    def end(self):
        self._over.set()
        self.join(60)
        return self.wrong


def busy(env, tap):
    seconds = 6 if env.args.quick else 30
    with tap.case("read while connections and processes come and go") as case:
        readers = [Reader(name, size) for name in FILES for size in (300, 1 << 16)]
        with env.proxy("nginx", "b", LISTEN, ORIGIN):
            loads = [env.load(LISTEN, "64k", "-c", 8, "-d", seconds, "--close")]
            for _ in range(3):
                with env.proxy("nginx", "b", LAZY, ORIGIN, mode=None, preload=True):
                    result = env.load(LAZY, "64k", "-c", 4, "-d", seconds / 3 - 1,
                                      "--close").result()
                    case.equal(result["mismatches"], 0, complaint(result))
            result = loads[0].result()
            case.equal((result["errors"], result["mismatches"]), (0, 0), complaint(result))
        for reader in readers:
            case.equal(reader.end()[:3], [], "wrong lines")
            case.check(reader.lines > 0, "a reader saw nothing: it proves nothing")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with libra.Daemon(env.build, env.directory) as env.daemon:
        with env.daemon.policy(LISTEN, ORIGIN, 1), libra.sysctl("strangers", 0):
            permissions(tap)
        namespace_goes(tap)
        with env.origin(ORIGIN, sendfile=False):
            busy(env, tap)
        with tap.case("nothing is left of it") as case:
            case.equal(libra.settle(), {}, "left behind")
    module_goes(env, tap)


if __name__ == "__main__":
    vmtest.main("proc_files", __doc__, body, ["64k"], daemon=False)
