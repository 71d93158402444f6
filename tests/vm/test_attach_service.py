#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""`libractl attach nginx.service` is all there is to do, and `detach` takes all of it back: with a
systemd, Debian's nginx and HAProxy units, and traffic."""

import json
import os
import threading

import vmtest
from harness import lazy, systemd
from harness.load import complaint

NGINX, HAPROXY, READER = "127.0.0.1:8101", "127.0.0.1:8102", "127.0.0.1:8103"
ORIGIN = "127.0.0.1:8001"
LIBRARY = "/run/libra/libra-malloc.so"
UNITS = "/etc/systemd/system"

NGINX_CONF = f"""
user root;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    server {{
        listen {NGINX};
        location / {{
            proxy_pass http://{ORIGIN};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_max_temp_file_size 0;
        }}
    }}
    # It reads all that it sends.
    server {{
        listen {READER};
        location / {{
            proxy_pass http://{ORIGIN};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_max_temp_file_size 0;
            sub_filter_types *;
            sub_filter_once off;
            sub_filter "no such text" "";
        }}
    }}
}}
"""

HAPROXY_CFG = f"""
global
    nbthread 1
    maxconn 512
    tune.bufsize 65536
defaults
    mode http
    timeout connect 20s
    timeout client 60s
    timeout server 60s
listen proxy
    bind {HAPROXY}
    server origin {ORIGIN}
"""

# A service that takes a large block, and then sleeps.
HOLDER = "/usr/bin/perl -e '$$x = \"y\" x (1 << 20); sleep 10000'"


class Services:
    """libractl beside a systemd of the test's own."""

    def __init__(self, env, system):
        self.env = env
        self.system = system
        self.program = os.path.join(env.build, "tools/libractl")

    def libractl(self, *arguments):
        # None has a librad that could be asked.
        return self.system.run(self.program, "--socket", "/run/none", *arguments)

    def attach(self, unit, *options):
        return self.libractl("attach", "--library", LIBRARY, unit, *options)

    def attach_json(self, case, unit, *options, status=0):
        run = self.libractl("--json", "attach", "--library", LIBRARY, unit, *options)
        case.equal(run.returncode, status, f"exit status of {run.stdout!r} {run.stderr!r}")
        return json.loads(run.stdout or "{}")

    def unit(self, name, lines, drop_in=None):
        path = f"{UNITS}/{name}" + (f".d/{drop_in}" if drop_in else "")
        self.system.write(path, "[Service]\n" + "\n".join(lines) + "\n")
        self.system.check("systemctl", "daemon-reload")

    def start(self, name):
        self.system.check("systemctl", "start", name)

    def maps(self, unit):
        """Of all its processes, one text."""
        cgroup = self.system.check("systemctl", "show", "--value", "-p", "ControlGroup",
                                   unit).strip()
        return self.system.check(
            "bash", "-c",
            f"cat $(sed 's,.*,/proc/&/maps,' /sys/fs/cgroup{cgroup}/cgroup.procs)")

    def serves(self, case, unit, address):
        """Loads go through it, exact; otherwise what became of it is told."""
        result = self.env.load(address, "64k", "-c", 4, "-n", 40).result()
        if not case.equal((result["exact"], result["errors"]), (40, 0), complaint(result)):
            print("".join(f"#   {line}\n" for line in self.system.story(unit).splitlines()),
                  end="", flush=True)

    def refused(self, case, run, *words):
        case.equal(run.returncode, 1, f"exit status ({run.stdout!r}, {run.stderr!r})")
        for word in words:
            case.check(word in run.stderr, f"{word!r} is not in {run.stderr!r}")


def round_trip(services, tap, unit, address, size, before_text):
    """Attach under traffic of this size, see payload stay, detach, see nothing left."""
    env, system = services.env, services.system
    file = f"{UNITS}/{unit}.d/libra.conf"
    with tap.case(f"attach {unit}: says what a restart does, and that payload stays") as case:
        plain = system.show(unit, "Environment", "DropInPaths")
        with Traffic(env, address, size):
            run = services.attach(unit, "--restart", "--wait", "60")
        case.equal(run.returncode, 0, f"exit status ({run.stdout!r}, {run.stderr!r})")
        for word in (f"wrote {file}", "a restart ends", before_text, "payload stays in the kernel"):
            case.check(word in run.stdout, f"{word!r} is not in {run.stdout!r}")
        print("".join(f"#   {line}\n" for line in run.stdout.splitlines()), end="", flush=True)
        case.check(LIBRARY in services.maps(unit), "the library is not in its processes")
        services.serves(case, unit, address)
    with tap.case(f"attach {unit} says which share stays, and what would be tuned") as case:
        with Traffic(env, address, size):
            answer = services.attach_json(case, unit, "--wait", "60")
        check = answer.get("check") or {}
        case.equal((check.get("verdict"), check.get("sent_by")), ("stays", "service"), f"{check}")
        case.check(0.1 <= (check.get("share") or 0) <= 1, f"share: {check}")
        case.check(check.get("sent_bytes", 0) > 256 << 10, f"sent: {check}")
        print(f"#   {json.dumps(check)}", flush=True)
        tuning = answer.get("tuning") or [{}]
        case.equal([each.get("program") for each in tuning], [unit.removesuffix(".service")],
                   f"tuning: {tuning}")
        case.check(tuning[0].get("forwards"), f"its configuration was not read: {tuning}")
    with tap.case(f"attach {unit} again changes nothing, and sees no traffic") as case:
        text = system.check("cat", file)
        answer = services.attach_json(case, unit, "--wait", "1")
        case.equal(answer.get("already"), True, "already")
        case.equal((answer.get("check") or {}).get("verdict"), "idle", "verdict")
        case.equal(system.check("cat", file), text, "the file")
    with tap.case(f"detach {unit} without a restart says what is left to do") as case:
        run = services.libractl("detach", unit, "--dry-run")
        case.check("would remove" in run.stdout, f"dry run: {run.stdout!r}")
        run = services.libractl("detach", unit, "--no-restart")
        case.equal(run.returncode, 0, f"exit status ({run.stdout!r}, {run.stderr!r})")
        case.check("keep payload memory until" in run.stdout, f"{run.stdout!r}")
        case.check(not system.exists(os.path.dirname(file)), "the directory is left")
        case.equal(system.show(unit, "Environment", "DropInPaths"), plain, "the unit")
        services.refused(case, services.libractl("detach", unit), "not attached")
    with tap.case(f"attach and detach {unit} with restarts leave nothing") as case:
        answer = services.attach_json(case, unit, "--restart", "--wait", "0")
        case.check(answer.get("in_its_processes"), f"{answer}")
        run = services.libractl("detach", unit, "--restart")
        case.equal(run.returncode, 0, f"exit status ({run.stdout!r}, {run.stderr!r})")
        case.check("without the library" in run.stdout, f"{run.stdout!r}")
        maps = services.maps(unit)
        case.check(maps and "libra-malloc" not in maps and "/payload" not in maps,
                   "its processes have the library, or payload memory")
        case.equal(system.show(unit, "Environment", "DropInPaths"), plain, "the unit")
        services.serves(case, unit, address)


def reader(services, tap):
    with tap.case("a service that reads what it sends is not taken for attached") as case:
        # The first responses are those from which the kernel learns it.
        services.attach_json(case, "nginx.service", "--restart", "--wait", "0")
        services.env.load(READER, "64k", "-c", 2, "-n", 40).result()
        with Traffic(services.env, READER, "64k"):
            run = services.attach("nginx.service", "--wait", "15")
        case.equal(run.returncode, 4, f"exit status ({run.stdout!r}, {run.stderr!r})")
        for word in ("too little payload stays in the kernel", "at least 10 % is wanted",
                     # doctor's
                     "/etc/nginx/nginx.conf:", "proxy_buffers 8 4k (default)", "costs: "):
            case.check(word in run.stdout, f"{word!r} is not in {run.stdout!r}")
        case.equal(services.libractl("detach", "nginx.service", "--restart").returncode, 0,
                   "detach")


class Traffic:
    """Small loads, one after the other; some of them fail while the proxy restarts."""

    def __init__(self, env, address, size):
        self._env = env
        self._address = address
        self._size = size
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._over.wait(0.2):
            try:
                self._env.load(self._address, self._size, "-c", 2, "-n", 8).result()
            except RuntimeError:
                pass

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def proxies(services, tap):
    system = services.system
    system.bind("/etc/nginx/nginx.conf", NGINX_CONF)
    system.bind("/etc/haproxy/haproxy.cfg", HAPROXY_CFG)
    for unit in ("nginx.service", "haproxy.service"):
        services.start(unit)
    round_trip(services, tap, "nginx.service", NGINX, "64k", "USR2")
    reader(services, tap)
    # It copies what it has read first of each response: bodies of one buffer all.
    round_trip(services, tap, "haproxy.service", HAPROXY, "1m", "reload keeps")
    system.check("systemctl", "stop", "nginx", "haproxy")


def sandboxes(services, tap):
    with tap.case("a sandbox of another user stays one, and has payload memory") as case:
        services.system.check("chgrp", "games", "/dev/libra")
        services.system.check("chmod", "660", "/dev/libra")
        services.unit("box.service", ["PrivateDevices=yes", "User=www-data",
                                      "Environment=LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6",
                                      f"ExecStart={HOLDER}"])
        services.start("box.service")
        answer = services.attach_json(case, "box", "--restart", "--wait", "2")
        for line in ("DeviceAllow=/dev/libra rw", "BindPaths=-/dev/libra",
                     "SupplementaryGroups=games", f"{LIBRARY}:/lib/x86_64-linux-gnu/libm.so.6"):
            case.check(line in answer.get("text", ""), f"{line} is not in {answer}")
        case.equal((answer.get("check") or {}).get("with_payload_memory"), 1, f"of {answer}")
        maps = services.maps("box.service")
        case.check("/payload" in maps and "libm.so" in maps, "payload memory, and libm as before")
        case.check("PrivateDevices=yes" in services.system.show("box.service", "PrivateDevices"),
                   "the sandbox is open")
        case.equal(services.libractl("detach", "box", "--restart").returncode, 0, "detach")
        services.system.check("systemctl", "stop", "box")
    with tap.case("a user who may not open the device is told how he may") as case:
        services.system.check("chmod", "600", "/dev/libra")
        services.refused(case, services.attach("box"), "60-libra.rules")
        services.system.check("chgrp", "root", "/dev/libra")


def failures(services, tap):
    system = services.system
    with tap.case("a service that does not start with the library is as it was, and runs") as case:
        services.unit("shy.service", ["ExecStartPre=/bin/sh -c 'test -z \"$$LD_PRELOAD\"'",
                                      "ExecStart=/bin/sleep 10000"])
        services.start("shy.service")
        run = services.attach("shy", "--restart")
        services.refused(case, run, "taken back", "runs as before")
        case.check(not system.exists(f"{UNITS}/shy.service.d"), "the drop-in is left")
        case.equal(system.check("systemctl", "is-active", "shy.service"), "active\n", "state")
    with tap.case("one that dies soon is as it was, too") as case:
        services.unit("faint.service", [
            "ExecStart=/bin/sh -c 'test -z \"$$LD_PRELOAD\" && exec sleep 10000; exec sleep 0.5'"])
        services.start("faint.service")
        services.refused(case, services.attach("faint", "--restart", "--wait", "6"), "taken back")
        case.equal(system.check("systemctl", "is-active", "faint.service"), "active\n", "state")
    with tap.case("what comes later and wins is named, and nothing is changed") as case:
        services.unit("shy.service", ["Environment=LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6"],
                      drop_in="override.conf")
        services.refused(case, services.attach("shy"), "override.conf", "nothing is changed")
        case.check(not system.exists(f"{UNITS}/shy.service.d/libra.conf"), "the drop-in is left")
        system.check("rm", f"{UNITS}/shy.service.d/override.conf")
        system.check("systemctl", "daemon-reload")
    with tap.case("an edited drop-in is left") as case:
        case.equal(services.attach("shy", "--no-restart").returncode, 0, "attach")
        file = f"{UNITS}/shy.service.d/libra.conf"
        system.check("bash", "-c", f"echo Nice=5 >>{file}")
        services.refused(case, services.libractl("detach", "shy"), "has been edited")
        services.refused(case, services.attach("shy"), "has been edited")
        case.check("Nice=5" in system.check("cat", file), "the edit is gone")
        system.check("rm", file)
        system.check("systemctl", "daemon-reload")
    with tap.case("where /etc cannot be written, --runtime can") as case:
        system.check("mount", "-o", "remount,ro", UNITS)
        services.refused(case, services.attach("shy", "--no-restart"), "Read-only", "--runtime")
        case.equal(services.attach("shy", "--no-restart", "--runtime").returncode, 0, "attach")
        case.check(LIBRARY in system.show("shy.service", "Environment"), "it is not in force")
        case.equal(services.libractl("detach", "shy", "--no-restart").returncode, 0, "detach")
        case.check(LIBRARY not in system.show("shy.service", "Environment"), "it is in force")
        system.check("mount", "-o", "remount,rw", UNITS)


def names(services, tap):
    system = services.system
    with tap.case("what is no service that could be attached is refused, with the mend") as case:
        services.unit("t@.service", ["ExecStart=/bin/sleep 10000"])
        services.unit("masked.service", ["ExecStart=/bin/sleep 10000"])
        system.check("rm", f"{UNITS}/masked.service")
        system.check("systemctl", "mask", "masked.service")
        for name, word in (("none", "neither a service"), ("none.service", "no service"),
                           ("masked.service", "unmask"), ("t@.service", "t@NAME.service"),
                           ("web.socket", ".service"), ("../../etc/x", "not the name"),
                           ("a\nb", "not the name"), ("/etc", "cgroup"),
                           ("999999999", "no process")):
            services.refused(case, services.attach("--", name), word)
        services.refused(case, services.attach("shy", "--user"), "user's own")
        run = services.libractl("detach", "shy", "--user")
        services.refused(case, run, "takes out again")
        case.check("LD_PRELOAD" not in run.stdout, f"a way to attach: {run.stdout!r}")
    with tap.case("an instance of a template, and the cgroup of a service") as case:
        services.start("t@a.service")
        run = services.attach("t@a", "--dry-run")
        case.check(f"{UNITS}/t@a.service.d/libra.conf" in run.stdout, f"{run.stdout!r}")
        cgroup = system.check("systemctl", "show", "--value", "-p", "ControlGroup",
                              "t@a.service").strip()
        run = services.attach(f"/sys/fs/cgroup{cgroup}", "--print")
        case.check("/t@a.service.d/" in run.stdout, f"{run.stdout!r} {run.stderr!r}")
        case.check(not system.exists(f"{UNITS}/t@a.service.d"), "a dry run wrote something")
        pid = system.check("systemctl", "show", "--value", "-p", "MainPID", "t@a.service").strip()
        run = services.attach(pid)
        services.refused(case, run, "cannot be given another allocator")
        case.equal(run.stdout, "libractl attach t@a.service\n", "the mend")


def runs(services, tap):
    def run(*arguments):
        return services.libractl("run", "--library", LIBRARY, *arguments)

    with tap.case("libractl run gives a program payload memory, and its arguments") as case:
        holder = "$x = \"y\" x (1 << 20); open(F, \"/proc/self/maps\"); print <F>; print \"@ARGV\""
        result = run("--", "perl", "-e", holder, "--", "--json", "-x", "a b", "{}", "[1,2]")
        case.equal(result.returncode, 0, f"exit status ({result.stderr!r})")
        case.check("/payload (deleted)" in result.stdout, "no payload memory")
        case.check(result.stdout.endswith("--json -x a b {} [1,2]"), result.stdout[-60:])
        case.equal(run("--", "sh", "-c", "exit 7").returncode, 7, "exit status")
    with tap.case("libractl run knows nginx's buffers, unless told") as case:
        nginx = services.system.check("sh", "-c", "command -v nginx").strip()
        case.check("LIBRA_MALLOC_MIN=4096\n" in run("--print", "--", nginx).stdout, "as a drop-in")
        case.check("LIBRA_MALLOC_MIN=8192\n" in run("--print", "--min-block", "8192", "--",
                                                   nginx).stdout, "as told")
        case.check("LIBRA_MALLOC_MIN" not in services.system.check(
            "env", "LIBRA_MALLOC_MIN=8192", services.program, "run", "--library", LIBRARY, "--print",
            "--", nginx), "over the environment's")
        case.check("LIBRA_MALLOC_MIN" not in services.system.check(
            services.program, "run", "--library", LIBRARY, "--print", "--", "true"), "of another one")
    with tap.case("libractl run says what is in the way") as case:
        services.refused(case, run("--", "/no/program"), "/no/program")
        services.refused(case, run("--", "no-such-program"), "no-such-program")
        services.refused(case, services.system.run(
            "setpriv", "--reuid=65534", "--clear-groups", services.program, "run", "--library",
            LIBRARY, "--", "true"), "/dev/libra", "root")
        services.refused(case, services.libractl("run", "--", "true"),
                         "/usr/lib/libra/libra-malloc.so", "install it")
        services.refused(case, services.system.run(
            "setpriv", "--reuid=65534", "--clear-groups", services.program, "run", "--library",
            LIBRARY, "--", "su"), "set-user-ID")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    with env.origin(ORIGIN, sendfile=False), \
            systemd.System(env.path("systemd")) as system:
        services = Services(env, system)
        system.check("cp", os.path.join(env.build, "userspace/malloc/libra-malloc.so"), LIBRARY)
        system.check("chmod", "644", LIBRARY)
        proxies(services, tap)
        sandboxes(services, tap)
        failures(services, tap)
        names(services, tap)
        runs(services, tap)
    with tap.case("nothing is left of payload memory") as case:
        case.equal(lazy.settle(), {}, "left behind")


if __name__ == "__main__":
    vmtest.main("attach_service", __doc__, body, ["64k", "1m"], daemon=False)
