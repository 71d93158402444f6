#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A stock kernel's ftrace cannot be switched off under those who need the hooks; where it is
off, nobody begins."""

import contextlib
import errno
import os
import re
import subprocess
import time

import vmtest
from harness import lazy, libra
from test_bad_input import run_librad
from test_isolation import BODY, deliver, domains, mint

FTRACE = "/proc/sys/kernel/ftrace_enabled"
# A program that has payload memory, says so, and ends when it is told to.
HOLDER = ["python3", "-c", "import sys; b = bytearray(4 << 20); b[::4096] = b'x' * 1024; "
          "print('ready', flush=True); sys.stdin.read()"]


def switch(value):
    with open(FTRACE, "w", encoding="ascii") as out:
        out.write(f"{value}\n")


def is_on():
    with open(FTRACE, encoding="ascii") as value:
        return int(value.read())


def never_off():
    """Newer kernels switch it off for nobody, whoever needs it (7.3: EOPNOTSUPP)."""
    try:
        switch(0)
    except OSError as error:
        return error.errno == errno.EOPNOTSUPP
    switch(1)
    return False


def refused(case, user):
    """Whoever asks gets EBUSY, and ftrace stays on."""
    expected = errno.EOPNOTSUPP if never_off() else errno.EBUSY
    try:
        switch(0)
        case.check(False, f"switched off under {user}")
    except OSError as error:
        case.equal(error.errno, expected, f"switched off under {user}: errno")
    case.equal(is_on(), 1, f"kernel.ftrace_enabled under {user}")


@contextlib.contextmanager
def switched_off(timeout=10):
    """As soon as it may be: the hooks stay for a while when their last user has gone."""
    end = time.monotonic() + timeout
    while True:
        try:
            switch(0)
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
    try:
        yield
    finally:
        switch(1)


@contextlib.contextmanager
def holder(env):
    """A process that may have payload memory; its last word, of libra-malloc, is in a file."""
    with open(env.path("holder.log"), "w+", encoding="utf-8") as log:
        process = subprocess.Popen(HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   stderr=log, env={**os.environ, **env.preload(65536),
                                                    "LIBRA_MALLOC_VERBOSE": "1"})
        try:
            assert process.stdout.readline() == "ready\n", "the program did not start"
            log.seek(0)
            yield log.read()
        finally:
            process.communicate()


def token(env, tap):
    with tap.case("ftrace cannot be switched off while a VPI is live") as case, domains(env):
        memory = mint(1)
        refused(case, "a live VPI")
        case.check(deliver(1, memory) == BODY, "what the client got is not what the origin sent")
        switch(1)


def payload_memory(env, tap):
    with tap.case("nor while a process has payload memory") as case:
        with holder(env):
            case.check(libra.counters()["payload_processes"] > 0, "it has no payload memory")
            refused(case, "payload memory")
            switch(1)
        case.equal(lazy.settle(), {}, "left behind")


def off(env, tap):
    name = "where ftrace is off, nothing begins, and all say why"
    if never_off():
        tap.skip(name, "this kernel's is never off")
        return
    with tap.case(name) as case:
        with switched_off():
            run = run_librad(env)
            case.check(run.returncode > 0, f"librad: exit status {run.returncode}")
            case.check(re.search("ftrace_enabled", run.stderr), f"librad: {run.stderr!r}")
            with holder(env) as said:
                case.equal(libra.counters()["payload_processes"], 0, "processes")
                case.check("ftrace_enabled" in said, f"libra-malloc: {said!r}")
        with domains(env):
            case.check(deliver(1, mint(1)) == BODY, "on again: not what the origin sent")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    if not os.path.exists(FTRACE):
        with tap.case("a patched kernel does without ftrace") as case, domains(env):
            case.check(os.environ.get("LIBRA_KERNEL") != "stock", "this one does not")
            case.check(deliver(1, mint(1)) == BODY, "what the client got is not what was sent")
        return
    token(env, tap)
    payload_memory(env, tap)
    off(env, tap)


if __name__ == "__main__":
    vmtest.main("ftrace", __doc__, body, daemon=False)
