#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What is wrong is refused with one line that names cause and mend, and leaves nothing."""

import os
import re
import shutil
import socket
import subprocess

import vmtest
from harness import libra, spoil

LOAD_MODULE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/load-module")

GOOD = ("--parser", "http1", "--listen", "127.0.0.1:9001", "--domain", "1", "--mode", "token")


def refused(case, run, what, pattern, output="stderr"):
    """A failure, told in one line that the pattern describes."""
    text = getattr(run, output)
    case.check(run.returncode > 0, f"{what}: exit status {run.returncode}")
    lines = [line for line in text.splitlines() if re.search(pattern, line, re.IGNORECASE)]
    case.check(len(lines) == 1, f"{what}: no line, or several, like /{pattern}/: {text!r}")


def run_librad(env, *arguments, program=None, socket_name="other.sock"):
    command = [program or os.path.join(env.build, "userspace/librad"), "--foreground",
               "--socket", env.path(socket_name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def nothing_attached(case):
    case.equal(libra.gauges_left(), {}, "gauges")


def no_policy(case, daemon):
    case.equal(daemon.status()["policies"], [], "policies")
    nothing_attached(case)


def without_module(env, tap):
    with tap.case("librad on a kernel without libra") as case:
        libra.unload_module()
        refused(case, run_librad(env), "librad", r"libra.*(insmod|modprobe|load|boot)")
        case.check(not os.path.exists(env.path("other.sock")), "the control socket was made")
        libra.load_module(env.args.libra_ko)


def librad_alone(env, tap):
    with tap.case("an unknown parser for librad") as case:
        refused(case, run_librad(env, "--parser", "nonsense"), "librad", r"nonsense.*http1")
        nothing_attached(case)
    for name, prefix in (("a parser", "struct_ops"), ("an attach program", "tp_btf")):
        with tap.case(f"{name} that the verifier refuses") as case:
            spoilt = env.path("spoilt-librad")
            spoil.bpf_program(os.path.join(env.build, "userspace/librad"), spoilt, prefix)
            os.chmod(spoilt, 0o755)
            refused(case, run_librad(env, program=spoilt), "librad",
                    r"refuse.*verifier.*invalid read.*(build|update|install|--verbose)")
            nothing_attached(case)
            # A parser or a program that stayed would hold the module.
            libra.unload_module(timeout=3)
            libra.load_module(env.args.libra_ko)


def requests(env, tap):
    nowhere = subprocess.run(
        [os.path.join(env.build, "tools/libractl"), "--socket", env.path("nowhere"), "status"],
        capture_output=True, text=True, check=False)
    with tap.case("libractl without a librad") as case:
        refused(case, nowhere, "libractl", r"nowhere.*librad")
        case.equal(nowhere.returncode, 3, "exit status")

    with libra.Daemon(env.build, env.directory) as daemon:
        def attach(*arguments):
            return daemon.ctl("attach", *arguments, check=False)

        bad = {
            "an unknown parser": (("--parser", "nonsense", *GOOD[2:]), r"nonsense.*http1"),
            "no address": (("--parser", "http1", "--domain", "1", "--mode", "token"), r"--listen"),
            "an unknown mode": ((*GOOD[:-1], "sideways"), r"sideways"),
        }
        for address in ("999.1.1.1:80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000",
                        "[::1:80", "localhost/33:80", ":80"):
            bad[f"a listener {address}"] = ((*GOOD, "--listen", address), re.escape(address))
        for address in ("10.0.0.0/33:80", "[fe80::]/129:80", "10.0.0.0/x:80"):
            bad[f"an upstream {address}"] = ((*GOOD, "--upstream", address), re.escape(address))
        for name, (arguments, pattern) in bad.items():
            # A good address beside a bad one: all or nothing.
            with tap.case(f"attach with {name}") as case:
                refused(case, attach(*arguments), "libractl", pattern)
                no_policy(case, daemon)
        with tap.case("detach of a policy that is not there") as case:
            refused(case, daemon.ctl("detach", "4711", check=False), "libractl", "4711")
        with tap.case("a second librad on the same socket") as case:
            refused(case, run_librad(env, socket_name="librad.sock"), "librad", r"librad\.sock")
            no_policy(case, daemon)
        with tap.case("noise on the control socket") as case:
            for noise in (b"\n", b"\0\xff\n", b"{}\n", b"[" * 60000 + b"\n",
                          b'{"x":' * 9999 + b"\n", b"x" * 200000 + b"\n", b"no end"):
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.settimeout(5)
                    sock.connect(daemon.socket)
                    try:
                        sock.sendall(noise)
                        if noise.endswith(b"\n"):
                            case.check(b'"ok":false' in sock.recv(65536).replace(b" ", b""),
                                       f"{noise[:20]!r} was not refused")
                    except (BrokenPipeError, ConnectionResetError):
                        pass  # hung up on, which is an answer
            no_policy(case, daemon)
        with tap.case("after all that, librad still works") as case:
            rule = attach(*GOOD).stdout.strip()
            case.equal([str(policy["id"]) for policy in daemon.status()["policies"]], [rule],
                       "policies")
            daemon.ctl("detach", "--all")
            no_policy(case, daemon)


def module_file(env):
    """The module as a file that can be altered."""
    if env.args.libra_ko:
        return env.args.libra_ko
    found = subprocess.run(["modinfo", "-n", "libra"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def other_kernels(env, tap):
    original = module_file(env)
    spoilt = env.path("spoilt.ko")

    def load_fails(case, what, pattern):
        run = subprocess.run([LOAD_MODULE, spoilt], capture_output=True, text=True, check=False)
        refused(case, run, what, f"({pattern}).*build")
        case.check(not libra.loaded(), f"{what}: it was loaded")

    libra.unload_module()
    with tap.case("a module of a kernel that is configured otherwise") as case:
        spoil.replace(original, spoilt, b" mod_unload ", b" mod_unlock ")
        load_fails(case, "vermagic", "the kernel refuses.*format")
    with tap.case("a module of a kernel with other symbol versions") as case:
        if spoil.symbol_version(original, spoilt, "module_layout"):
            load_fails(case, "module_layout", "the kernel refuses.*format")
        else:  # no modversions: the release must be the same
            here = os.uname().release[:1].encode()
            spoil.replace(original, spoilt, b"vermagic=" + here, b"vermagic=5")
            load_fails(case, "release", "is for kernel 5")
    with tap.case("a module that is cut short") as case:
        shutil.copyfile(original, spoilt)
        os.truncate(spoilt, os.path.getsize(spoilt) // 2)
        load_fails(case, "half a module", "no kernel module|the kernel refuses")
    libra.load_module(env.args.libra_ko)


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    without_module(env, tap)
    librad_alone(env, tap)
    requests(env, tap)
    other_kernels(env, tap)


if __name__ == "__main__":
    vmtest.main("bad-input", __doc__, body, daemon=False)
