#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""librad ends, crashes, is reconfigured and refuses, and clients of a proxy do not notice."""

import contextlib
import json
import os
import pwd
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import vmtest
from harness import libra, servers
from harness.load import complaint

LISTEN, ORIGIN = "127.0.0.1:8101", "127.0.0.1:8001"
OTHER = "127.0.0.1:8102"
METRICS, OTHER_METRICS = "127.0.0.1:9742", "127.0.0.1:9743"
CGROUPS = "/sys/fs/cgroup"
CGROUP = f"{CGROUPS}/libra-test"
PIN = "/sys/fs/bpf/libra-test"
GROUP = "libra"
POLICY = """[[policy]]
name = "{name}"
parser = "http1"
domain = {domain}
mode = "token"
listen = ["{listen}"]
upstream = ["{upstream}"]
{more}
"""
WEB = POLICY.format(name="web", domain=1, listen=LISTEN, upstream=ORIGIN, more='breaker = "off"')
EDITS = "sub_filter_once off; sub_filter_types *; sub_filter 'a' 'b';"


class Pinned(libra.Daemon):
    """One whose policies outlive it, with a configuration file."""

    def __init__(self, env, text=WEB):
        self.file = env.path("librad.toml")
        self.write(text)
        super().__init__(env.build, env.directory,
                         options=("--pin", PIN, "--config", self.file, "--group", GROUP))

    def write(self, text):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def __exit__(self, *_):
        self.process.stop()
        run = subprocess.run([self.librad, "--socket", self.socket, "--pin", PIN, "--remove",
                              "--parser=http1"], capture_output=True, text=True, check=False)
        if run.returncode:
            raise libra.LibraError(f"librad --remove: {run.stderr}")

    def policies(self):
        return {policy["name"]: policy for policy in self.status()["policies"]}

    def log(self):
        with open(self._log, encoding="utf-8", errors="replace") as file:
            return file.read()


@contextlib.contextmanager
def scene(env, tap, name, text=WEB):
    with tap.case(name) as case:
        with env.origin(ORIGIN), env.proxy("nginx", "b", LISTEN, ORIGIN, mode=None), \
                Pinned(env, text) as daemon:
            yield case, daemon
        case.equal(libra.settle(), {}, "left behind")
        case.check(not os.path.exists(PIN), "pins are left")


def exact(case, load):
    result = load.result()
    case.equal((result["mismatches"], result["errors"]), (0, 0), complaint(result))


def first_rule(daemon):
    return daemon.policies()["web"]["rules"][0]


def goes_on(env, tap, name, end):
    """0 failed requests, the same policy, and counters that go on."""
    with scene(env, tap, name) as (case, daemon):
        load = env.load(LISTEN, "256k", "-c", 4, "-n", 400 if env.args.quick else 2000)
        before = first_rule(daemon)["matched"]
        for turn in range(3):
            if not load.running():
                break
            end(daemon)
            minted = libra.counters()["anchors_minted"]
            time.sleep(0.3)
            case.check(not load.running() or libra.counters()["anchors_minted"] > minted,
                       f"turn {turn}: nothing is anchored while there is no librad")
            daemon.start()
        exact(case, load)
        web = daemon.policies()["web"]
        case.equal(web["id"], 1, "policy")
        exact(case, env.load(LISTEN, "256k", "-c", 4, "-n", 40))
        case.check(first_rule(daemon)["matched"] >= before + 4, "counters began anew")
        case.equal(libra.counters()["fail_stops"], 0, "fail-stops")
        case.check("was interrupted" not in daemon.log(), "taken up as it was")


def killed(daemon):
    daemon.process.kill()


def stopped(daemon):
    daemon.process.stop()


def reloads(env, tap):
    with scene(env, tap, "a configuration is reloaded under load") as (case, daemon):
        load = env.load(LISTEN, "256k", "-c", 4, "-n", 400 if env.args.quick else 2000)
        more = POLICY.format(name="more", domain=2, listen=OTHER, upstream="10.1.2.3:80", more="")
        for text, names in ((WEB + more, ["more", "web"]), (WEB, ["web"]),
                            (more + WEB, ["more", "web"])):
            daemon.write(text)
            daemon.process.signal(signal.SIGHUP)
            end = time.monotonic() + 10
            while sorted(daemon.policies()) != names and time.monotonic() < end:
                time.sleep(0.1)
            case.equal(sorted(daemon.policies()), names, "policies")
            case.equal(daemon.policies()["web"]["id"], 1, "the one that did not change")
        exact(case, load)
        case.check("configuration: added [more], changed [], removed [], unchanged [web]"
                   in daemon.log(), "no diff in the log")

        daemon.write(WEB + "listn = []\n")
        run = daemon.ctl("reload", check=False)
        case.equal(run.returncode, 1, "status")
        case.check("unknown key 'listn' in [[policy]]; did you mean 'listen'?" in run.stderr and
                   daemon.file in run.stderr, f"what is wrong, and where: {run.stderr}")
        case.equal(sorted(daemon.policies()), ["more", "web"], "policies after a bad one")
        daemon.write(WEB)
        case.equal(daemon.ctl("config", "diff", daemon.file).stdout, "- more\n  web\n", "diff")
        case.equal(sorted(daemon.policies()), ["more", "web"], "policies after a diff")
        daemon.ctl("config", "apply", daemon.file)
        case.equal(sorted(daemon.policies()), ["web"], "policies after apply")


def stands_in_the_way(env, tap):
    """Who upgrades librad need not have a configuration that goes in to get at it."""
    with scene(env, tap, "a configuration that does not go in at start", "") as (case, daemon):
        daemon.ctl("attach", "--parser", "http1", "--listen", LISTEN, "--upstream", ORIGIN,
                   "--domain", "1", "--mode", "token", "--name", "web")
        for what, text, why in (
                ("a client's policy has the name", WEB, "web"),
                ("a file that is wrong", WEB + "mood = 1\n", "librad.toml:9: unknown key 'mood'")):
            daemon.write(text)
            daemon.process.kill()
            daemon.start()
            case.equal([(policy["name"], policy["from"]) for policy in daemon.policies().values()],
                       [("web", "client")], f"{what}: policies")
            said = [line for line in daemon.log().splitlines() if "is not in force: " in line]
            case.check(said and why in said[-1], f"{what}: {said}")
        exact(case, env.load(LISTEN, "256k", "-c", 2, "-n", 8))
        daemon.write(WEB)
        case.equal(daemon.ctl("reload", check=False).returncode, 1, "it is still in the way")
        daemon.ctl("detach", "--all")
        daemon.ctl("reload")
        case.equal(daemon.policies()["web"]["from"], "configuration", "mended")
        daemon.write(WEB + "mood = 1\n")
        daemon.ctl("detach", "--all")
        daemon.process.stop()
        try:
            daemon.start()
            case.check(False, "it started with a file that is wrong, and nothing in force")
        except libra.LibraError as error:
            case.check("unknown key 'mood'" in str(error), str(error))


def trips(env, tap):
    """A proxy that edits what it forwards: aborted a few times, and then left alone."""
    text = WEB.replace('"off"', '"3/60"')
    with tap.case("a breaker trips, and stays so until told") as case:
        config = servers.NGINX_CONFIGS["b"] + EDITS
        with env.origin(ORIGIN), servers.start_nginx(
                "edits", env.path("edits"),
                "server {{ listen {0}; location / {{ proxy_pass http://{1}; {2} }} }}".format(
                    LISTEN, ORIGIN, config), int(LISTEN.split(":")[1])), \
                Pinned(env, text) as daemon:
            result = env.load(LISTEN, "256k", "-c", 1, "-n", 12).result()
            case.check(result["errors"] + result["mismatches"] > 0, "nothing was aborted")
            end = time.monotonic() + 10
            while not daemon.policies()["web"]["tripped"] and time.monotonic() < end:
                time.sleep(0.2)
            case.check(daemon.policies()["web"]["tripped"], "it did not trip")
            case.check("BREAKER: policy 1 (web)" in daemon.log(), "it is not said loudly")
            before = libra.counters()
            result = env.load(LISTEN, "256k", "-c", 2, "-n", 12).result()
            case.equal(result["errors"], 0, "errors afterwards")
            after = libra.counters()
            case.equal(after["fail_stops"], before["fail_stops"], "fail-stops afterwards")
            case.equal(after["anchors_minted"], before["anchors_minted"], "anchors afterwards")
            daemon.process.stop()
            daemon.start()
            case.check(daemon.policies()["web"]["tripped"], "the next librad forgot it")
            daemon.ctl("resume", "1")
            case.check(not daemon.policies()["web"]["tripped"], "it does not resume")
        case.equal(libra.settle(), {}, "left behind")


def as_user(daemon, groups, *arguments):
    nobody = pwd.getpwnam("nobody")
    return subprocess.run([daemon.libractl, "--socket", daemon.socket, *arguments],
                          capture_output=True, text=True, check=False, user=nobody.pw_uid,
                          group=nobody.pw_gid, extra_groups=groups)


def users(env, tap):
    subprocess.run(["groupadd", "--system", "--force", GROUP], check=True)
    gid = int(subprocess.run(["getent", "group", GROUP], check=True, capture_output=True,
                             text=True).stdout.split(":")[2])
    os.chmod(env.directory, 0o755)
    with scene(env, tap, "who may do what") as (case, daemon):
        run = as_user(daemon, [], "status")
        case.equal((run.returncode, "Permission denied" in run.stderr), (3, True),
                   f"outside of the group: {run.stderr}")
        case.equal(as_user(daemon, [gid], "status").returncode, 0, "in the group: status")
        for command in (("detach", "--all"), ("reload",), ("resume", "1")):
            run = as_user(daemon, [gid], *command)
            case.equal((run.returncode, run.stderr),
                       (1, "libractl: only root may change what is attached\n"), command[0])
        case.equal(sorted(daemon.policies()), ["web"], "policies")


def metrics(env, tap):
    text = WEB + f'[daemon]\nmetrics = "{METRICS}"\n'
    with scene(env, tap, "metrics", text) as (case, daemon):
        exact(case, env.load(LISTEN, "256k", "-c", 2, "-n", 20))
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=10) as answer:
                lines = answer.read().decode().splitlines()
            if any(line.startswith("libra_rule_attached_total{") and not line.endswith(" 0")
                   for line in lines):
                break
            time.sleep(0.5)
        values = {line.split(" ")[0]: float(line.split(" ")[1]) for line in lines
                  if not line.startswith("#")}
        counted = libra.counters()
        case.equal(values["libra_anchors_minted_total"], counted["anchors_minted"], "anchors")
        case.equal(values["libra_kernel_up"], 1, "libra_kernel_up")
        rules = [name for name in values if name.startswith("libra_rule_matched_total{")]
        case.equal(len(rules), 2, "rules")
        case.check(all('name="web"' in name for name in rules), "names of policies")
        missing = [name for name in counted if f"libra_{name}" not in values and
                   f"libra_{name}_total" not in values]
        case.equal(missing, [], "counters without a metric")

        def served(address):
            with contextlib.suppress(urllib.error.URLError):
                with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                    return b"libra_kernel_up 1" in answer.read()
            return False

        daemon.write(text.replace(METRICS, OTHER_METRICS))
        daemon.ctl("reload")
        case.equal((served(METRICS), served(OTHER_METRICS)), (False, True), "moved by a reload")
        with socket.create_server(("127.0.0.1", int(METRICS.split(":")[1]))):
            daemon.write(text.replace('"web"', '"other"'))
            run = daemon.ctl("reload", check=False)
            case.equal((run.returncode, "is the port taken?" in run.stderr), (1, True),
                       f"a port that is taken: {run.stderr}")
        case.equal((sorted(daemon.policies()), served(OTHER_METRICS)), (["web"], True),
                   "all stays as it was")
        daemon.write(WEB)
        daemon.ctl("reload")
        case.equal(served(OTHER_METRICS), False, "no more after a reload")
        daemon.write(text)
        daemon.ctl("reload")
        case.equal(served(METRICS), True, "again after a reload")


def refusals(env, tap):
    """What cannot be is said before anything is attached, and nothing stays."""
    def refused(case, what, options, text=WEB):
        file = env.path("refused.toml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
        run = subprocess.run([env.daemon_binary, "--foreground", "--socket",
                              env.path("refused.sock"), "--parser=http1", "--config", file,
                              *options], capture_output=True, text=True, check=False, timeout=120)
        case.equal(run.returncode, 1, f"{what}: status")
        return run.stderr

    before = libra.counters()["attach"]
    with tap.case("librad that cannot do as it is told") as case:
        said = refused(case, "no BPF file system", ("--pin", "/run/libra-test"))
        case.check("is not in a BPF file system: mount -t bpf" in said, said)
        os.rmdir("/run/libra-test")
        said = refused(case, "bad configuration", (), WEB + "mood = 1\n")
        case.check("refused.toml:9: unknown key 'mood' in [[policy]]; did you mean" in said, said)
        said = refused(case, "unknown parser", (), WEB.replace("http1", "gopher"))
        case.check("policy 'web': unknown parser 'gopher'; loaded: http1" in said, said)
        for cgroup, why in (("/sys/fs/none", "is not in a cgroup v2 file system"),
                            (f"{CGROUPS}/cgroup.procs", "is not a cgroup; name its directory"),
                            (f"{CGROUPS}/cgroup.procs/none", "Not a directory")):
            said = refused(case, cgroup, (), f'{WEB}cgroup = "{cgroup}"\n')
            case.check("refused.toml:9: " in said and cgroup in said and why in said, said)
        case.equal(libra.counters()["attach"], before, "attached")


def namespaces_held(daemon):
    """What keeps them, and their devices, when nobody else is in them."""
    fds = f"/proc/{daemon.process.pid}/fd"
    files = (os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds))
    return [file for file in files if file.startswith(("net:[", "/run/netns/"))]


def namespaces(env, tap):
    """A policy of another network namespace finds its connections, and only those."""
    with tap.case("a policy names a network namespace") as case, Pinned(env, "") as daemon:
        subprocess.run(["ip", "netns", "add", "blue"], check=True)
        try:
            subprocess.run(["ip", "-n", "blue", "link", "set", "lo", "up"], check=True)
            daemon.ctl("attach", "--parser", "http1", "--listen", LISTEN, "--upstream", ORIGIN,
                       "--domain", "1", "--mode", "token", "--netns", "/run/netns/blue",
                       "--name", "blue")
            talk = ("import socket; s = socket.create_server(('127.0.0.1', 8101));"
                    "c = socket.create_connection(('127.0.0.1', 8101)); s.accept()")
            subprocess.run(["python3", "-c", talk], check=True)
            case.equal(daemon.policies()["blue"]["rules"][0]["matched"], 0, "here")
            subprocess.run(["ip", "netns", "exec", "blue", "python3", "-c", talk], check=True)
            case.equal(daemon.policies()["blue"]["rules"][0]["matched"], 1, "there")
            run = daemon.ctl("attach", "--parser", "http1", "--listen", "*:1", "--domain", "1",
                             "--mode", "token", "--netns", "/etc/passwd", check=False)
            case.check("'/etc/passwd' is no network namespace" in run.stderr, run.stderr)
            case.check(namespaces_held(daemon), "librad does not hold the namespace")
            daemon.ctl("detach", "--all")
            case.equal(namespaces_held(daemon), [], "held when no policy is about it")
        finally:
            subprocess.run(["ip", "netns", "delete", "blue"], check=True)


@contextlib.contextmanager
def service(env):
    """A proxy in a cgroup of its own, made for it and removed after it, as systemd does."""
    def enter(path):
        with open(f"{path}/cgroup.procs", "w", encoding="utf-8") as file:
            file.write("0")

    os.mkdir(CGROUP)
    try:
        enter(CGROUP)
        try:
            proxy = env.proxy("nginx", "b", LISTEN, ORIGIN, mode=None)
            proxy.__enter__()
        finally:
            enter(CGROUPS)
        try:
            # Until then librad has not seen it, and what nginx connects to, and keeps, is adopted.
            time.sleep(2)
            yield os.stat(CGROUP).st_ino
        finally:
            proxy.__exit__(None, None, None)
    finally:
        for turn in reversed(range(50)):
            try:
                os.rmdir(CGROUP)
                break
            except OSError:
                if not turn:
                    raise
                time.sleep(0.1)


def cgroups(env, tap):
    """A service that is not started yet, is started, and is started anew."""
    def anchors(case, what):
        before = libra.counters()["anchors_minted"]
        end = time.monotonic() + 20
        while libra.counters()["anchors_minted"] == before and time.monotonic() < end:
            exact(case, env.load(LISTEN, "256k", "-c", 2, "-n", 8))
        case.check(libra.counters()["anchors_minted"] > before, f"nothing is anchored: {what}")

    def becomes(daemon, waiting):
        end = time.monotonic() + 10
        while daemon.policies()["web"]["waiting"] != waiting and time.monotonic() < end:
            time.sleep(0.1)
        return daemon.policies()["web"]["waiting"] == waiting

    text = WEB + f'cgroup = "{CGROUP}"\n'
    with tap.case("a policy waits for its cgroup, and follows it") as case:
        with env.origin(ORIGIN), Pinned(env, text) as daemon:
            case.check(becomes(daemon, True), "it does not wait")
            case.check(f"policy 1 waits: there is no cgroup {CGROUP}\n" in
                       daemon.ctl("status").stdout, "status does not say so")
            time.sleep(2.5)
            case.equal(daemon.log().count(f"waits: there is no cgroup {CGROUP}"), 1, "in the log")
            with service(env) as first:
                case.check(becomes(daemon, False), "it waits on")
                anchors(case, "started")
            with service(env) as second:
                case.check(first != second, "the same cgroup")
                anchors(case, "started anew")
                daemon.process.kill()
                daemon.start()
                anchors(case, "librad killed")
            case.check(becomes(daemon, True), "it does not wait again")
            run = daemon.ctl("attach", "--parser", "http1", "--listen", OTHER, "--domain", "2",
                             "--mode", "token", "--cgroup", CGROUP, check=False)
            case.check(f"cgroup '{CGROUP}': No such file" in run.stderr, run.stderr)
            case.equal(daemon.policies()["web"]["id"], 1, "policy")
        case.equal(libra.settle(), {}, "left behind")


def off(env, tap):
    with scene(env, tap, "off at a word, and on again") as (case, daemon):
        exact(case, env.load(LISTEN, "256k", "-c", 2, "-n", 8))
        minted = libra.counters()["anchors_minted"]
        case.check(minted > 0, "nothing was anchored")
        daemon.ctl("off")
        exact(case, env.load(LISTEN, "256k", "-c", 2, "-n", 8))
        case.equal(libra.counters()["anchors_minted"], minted, "anchors while it is off")
        case.equal(json.loads(daemon.ctl("--json", "on").stdout), {"ok": True}, "on")
        exact(case, env.load(LISTEN, "256k", "-c", 2, "-n", 8))
        case.check(libra.counters()["anchors_minted"] > minted, "nothing is anchored again")


def body(env, tap):
    if not env.with_libra:
        tap.skip("all", "needs Libra")
        return
    env.daemon_binary = os.path.join(env.build, "userspace/librad")
    goes_on(env, tap, "librad is stopped and started under load", stopped)
    goes_on(env, tap, "librad is killed under load", killed)
    reloads(env, tap)
    stands_in_the_way(env, tap)
    trips(env, tap)
    users(env, tap)
    metrics(env, tap)
    refusals(env, tap)
    namespaces(env, tap)
    cgroups(env, tap)
    off(env, tap)


if __name__ == "__main__":
    vmtest.main("daemon", __doc__, body, sizes=("256k",), daemon=False)
