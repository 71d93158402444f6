#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""libractl doctor and features: what is wrong with a machine or a configuration is named, and
what is not is not; the programs that it reads the configurations of agree with them."""

import json
import os
import re
import shutil
import subprocess

import vmtest
from harness import libra, servers
from test_ftrace import FTRACE, never_off, switched_off

NGINX_PORT, HAPROXY_PORT = 8080, 8081
# What Debian ships, and somebody adds.
SITE = """server {
    listen 127.0.0.1:%d;
    location /shop {
        proxy_pass http://127.0.0.1:9000;
        sub_filter "a b" 'c';
    }
    location /quick {
        proxy_pass http://127.0.0.1:9000;
        gzip off;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffers 16 64k; proxy_busy_buffers_size 512k; proxy_buffer_size 16k;
        proxy_max_temp_file_size 0;
    }
}
""" % NGINX_PORT
HAPROXY = """global
    tune.bufsize 16384
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    compression algo gzip
listen packed
    bind 127.0.0.1:%d
    server s 127.0.0.1:9000
listen plain
    bind 127.0.0.1:8082
    no option splice-response
    http-response deny if { res.body -m sub "a b" }
    server s 127.0.0.1:9000
""" % HAPROXY_PORT


def libractl(env, *arguments, inside=()):
    return subprocess.run([*inside, os.path.join(env.build, "tools/libractl"), *arguments],
                          capture_output=True, text=True, check=False, timeout=120)


def doctor(env, *arguments, inside=()):
    """Its exit status, and what it says as JSON."""
    run = libractl(env, "--json", "--socket", env.path("nobody"), "doctor", *arguments,
                   inside=inside)
    assert run.stdout, run.stderr
    return run.returncode, json.loads(run.stdout)


def states(results):
    """Of checks, those that are not ok."""
    return {result["check"]: result["state"] for result in results if result["state"] != "ok"}


def findings(report, index=0):
    """Of a proxy: rule, file and line of all that is written somewhere."""
    return {(finding["rule"], finding["file"], finding["line"])
            for finding in report["proxies"][index]["findings"] if not finding["default"]}


def line_of(path, text):
    with open(path, encoding="utf-8") as lines:
        return next(number for number, line in enumerate(lines, 1) if line.strip() == text)


def available(env, inside=()):
    run = libractl(env, "--json", "features", inside=inside)
    return {feature["feature"]: feature["available"]
            for feature in json.loads(run.stdout)["features"]}


def debian_nginx(env):
    """A copy of what the package installed, with a site of ours."""
    copy = env.path("nginx")
    shutil.copytree("/etc/nginx", copy, symlinks=True)
    conf = os.path.join(copy, "nginx.conf")
    with open(conf, encoding="utf-8") as original:
        text = original.read().replace("/etc/nginx/", copy + "/")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(text)
    for name in os.listdir(os.path.join(copy, "sites-enabled")):
        os.remove(os.path.join(copy, "sites-enabled", name))
    with open(os.path.join(copy, "sites-enabled", "shop"), "w", encoding="ascii") as out:
        out.write(SITE)
    return conf


def configurations(env, tap):
    with tap.case("nginx and HAProxy as Debian installs them forward nothing: no complaint") as case:
        status, report = doctor(env, "--only", "proxies", "--nginx-conf", "/etc/nginx/nginx.conf",
                                "--haproxy-conf", "/etc/haproxy/haproxy.cfg")
        case.equal(status, 0, "exit status")
        for proxy in report["proxies"]:
            case.equal(proxy["problems"], [], f"problems of {proxy['program']}")
            case.equal(proxy["forwards"], False, f"{proxy['program']} forwards")

    conf = debian_nginx(env)
    site = os.path.join(os.path.dirname(conf), "sites-enabled/shop")
    gzip = ("nginx-gzip", conf, line_of(conf, "gzip on;"))
    expected = {gzip, ("nginx-sub-filter", site, line_of(site, "sub_filter \"a b\" 'c';"))}
    with tap.case("a site that forwards inherits what Debian's nginx.conf has") as case:
        status, report = doctor(env, "--only", "proxies", "--token", "--nginx-conf", conf)
        case.equal(status, 1, "exit status")
        case.equal(findings(report), expected, "findings")
        places = [[place["line"] for place in finding["places"]]
                  for finding in report["proxies"][0]["findings"] if finding["rule"] == gzip[0]]
        case.equal(places, [[line_of(site, "location /shop {")]], "where gzip is in effect")
        status, report = doctor(env, "--only", "proxies", "--lazy", "--nginx-conf", conf)
        case.equal(status, 0, "exit status with --lazy")
    with tap.case("what nginx -T prints says the same") as case:
        dump = env.path("dump")
        run = subprocess.run([servers.find_program("nginx"), "-T", "-c", conf], text=True,
                             capture_output=True, check=False)
        case.equal(run.returncode, 0, f"nginx -T: {run.stderr}")
        with open(dump, "w", encoding="utf-8") as out:
            out.write(run.stderr + run.stdout)
        _, report = doctor(env, "--only", "proxies", "--token", "--nginx-conf", dump)
        case.equal(report["proxies"][0]["problems"], [], "problems")
        case.equal(findings(report), expected, "findings")
    with tap.case("what cannot be read, and what is not understood, is no clean bill") as case:
        status, report = doctor(env, "--only", "proxies", "--haproxy-conf", env.path("none"))
        case.equal(status, 3, "exit status without a file")
        case.equal(len(report["proxies"][0]["problems"]), 1, "problems")
        case.equal(libractl(env, "doctor", "--only", "nonsense").returncode, 2, "wrong usage")
        case.equal(libractl(env, "doctor", "--lazy", "--anchor-requests").returncode, 2,
                   "--anchor-requests of lazy mode")


def advised(texts):
    """The directives that advice begins with; what follows them is for people."""
    out = {}
    for text in texts:
        for piece in text.split(";"):
            directive = re.fullmatch(r"\s*((?:proxy|fastcgi|scgi|uwsgi|client)_\w+) (.+)", piece)
            if not directive:
                break
            out[directive[1]] = directive[2]
    return out


def advice(env, tap):
    """Of what is slow by default, and of what is slow as somebody wrote it."""
    conf = env.path("advised.conf")
    for module in ("proxy", "fastcgi", "scgi", "uwsgi"):
        target = "http://127.0.0.1:9" if module == "proxy" else "127.0.0.1:9"
        with tap.case(f"nginx takes what is advised of {module}, and nothing is left to say") as case:
            for written in ({}, {"_buffering": "off"}, {"_request_buffering": "off"},
                            {"_buffers": "8 4k", "_buffer_size": "5000"}):
                directives = {module + name: value for name, value in written.items()}
                before = len(directives)
                for left in (True, False):
                    with open(conf, "w", encoding="ascii") as out:
                        out.write("events {}\nhttp { server { listen 127.0.0.1:%d; location / {\n"
                                  "%s_pass %s;\n%s} } }\n" % (
                                      NGINX_PORT, module, target, "".join(
                                          f"{name} {value};\n" for name, value in directives.items())))
                    run = subprocess.run([servers.find_program("nginx"), "-t", "-c", conf], text=True,
                                         capture_output=True, check=False)
                    case.equal(run.returncode, 0, f"nginx -t of {directives}: {run.stderr}")
                    _, report = doctor(env, "--only", "proxies", "--nginx-conf", conf)
                    case.equal(report["proxies"][0]["problems"], [], "problems")
                    found = {finding["rule"]: finding["instead"]
                             for finding in report["proxies"][0]["findings"]}
                    found.pop("nginx-protocol", None)
                    case.equal(bool(found), left, f"findings {list(found)} of {directives}")
                    directives.update(advised(found.values()))
                case.check(len(directives) > before, "nothing was advised")


def running(env, tap):
    site = SITE.replace(f"listen 127.0.0.1:{NGINX_PORT};", f"listen 127.0.0.1:{NGINX_PORT};\n"
                        "    gzip on;")
    for preload in ([None, env.preload(4096)] if env.with_libra else [None]):
        name = "with libra-malloc.so" if preload else "without it"
        with tap.case(f"an nginx that runs {name} is found, with its configuration") as case:
            directory = env.path(f"running-{bool(preload)}")
            with servers.start_nginx("nginx", directory, site, NGINX_PORT,
                                     environment=preload) as nginx:
                status, report = doctor(env, "--only", "proxies")
                case.equal(status, 1, "exit status")
                found = [proxy for proxy in report["proxies"] if proxy["pid"] == nginx.pid]
                case.equal(len(found), 1, "proxies of this pid")
                conf = os.path.join(directory, "nginx.conf")
                case.equal(found[0]["configuration"], [conf], "configuration")
                case.check(("nginx-gzip", conf, line_of(conf, "gzip on;")) in
                           findings({"proxies": found}), "gzip was not found")
                case.equal(states(found[0]["checks"]).get("preload"),
                           None if preload else "note", "preload")
    with tap.case("a HAProxy that runs is found, with its configuration") as case:
        directory = env.path("haproxy")
        with servers.start_haproxy("haproxy", directory, HAPROXY, HAPROXY_PORT) as haproxy:
            status, report = doctor(env, "--only", "proxies", "--token")
            case.equal(status, 1, "exit status")
            found = [proxy for proxy in report["proxies"] if proxy["pid"] == haproxy.pid]
            case.equal(len(found), 1, "proxies of this pid")
            conf = os.path.join(directory, "haproxy.cfg")
            lines = {rule: line_of(conf, text) for rule, text in (
                ("haproxy-compression", "compression algo gzip"),
                ("haproxy-small-buffers", "tune.bufsize 16384"),
                ("haproxy-res-body", 'http-response deny if { res.body -m sub "a b" }'))}
            case.equal(findings({"proxies": found}),
                       {(rule, conf, line) for rule, line in lines.items()}, "findings")


def system(env, tap):
    with tap.case("a machine that is able") as case:
        _, report = doctor(env, "--only", "system")
        bad = {check for check, state in states(report["system"]).items() if state == "bad"}
        case.equal(bad, set(), "bad")
        there = available(env)
        patched = os.environ.get("LIBRA_KERNEL") != "stock"
        for feature in ("libra", "hooks", "lazy", "token", "anchor-requests"):
            case.equal(there[feature], True, feature)
        for feature in ("memcg", "tcp-libra"):
            case.equal(there[feature], patched, feature)
    with tap.case("token mode alone needs librad") as case:
        status, report = doctor(env, "--only", "system", "--token")
        case.equal((status, states(report["system"])["librad"]), (1, "bad"), "without one")
        with libra.Daemon(env.build, env.directory) as daemon:
            run = daemon.ctl("--json", "doctor", "--only", "system", "--token", check=False)
            case.equal((run.returncode, "librad" in states(json.loads(run.stdout)["system"])),
                       (0, False), "with one")
    with tap.case("sysctls that switch something off") as case:
        for name, check in (("lazy", "lazy"), ("enabled", "token"), ("strangers", "strangers")):
            with libra.sysctl(name, 0):
                status, report = doctor(env, "--only", "system")
                case.equal((status, states(report["system"]).get(check)), (1, "bad"), name)
    with tap.case("BPF that is not compiled") as case:
        # Of the first network namespace only.
        inside = ("nsenter", "--target", "1", "--net")
        if subprocess.run([*inside, "sysctl", "-q", "-w", "net.core.bpf_jit_enable=0"],
                          check=False).returncode == 0:
            try:
                _, report = doctor(env, "--only", "system", inside=inside)
                case.equal(states(report["system"]).get("jit"), "bad", "jit")
                case.equal(available(env, inside)["token"], False, "token mode")
            finally:
                subprocess.run([*inside, "sysctl", "-q", "-w", "net.core.bpf_jit_enable=1"],
                               check=True)
    if os.path.exists(FTRACE) and not never_off():
        with tap.case("a stock kernel whose ftrace is off") as case, switched_off():
            status, report = doctor(env, "--only", "system")
            case.equal((status, states(report["system"]).get("ftrace")), (1, "bad"), "ftrace")
            case.equal(available(env)["hooks"], False, "hooks")
    with tap.case("a machine without the module") as case:
        libra.unload_module()
        status, report = doctor(env, "--only", "system", "--lazy")
        case.equal((status, states(report["system"]).get("libra")), (1, "bad"), "libra")
        case.equal(available(env)["lazy"], False, "lazy mode")
        libra.load_module(env.args.libra_ko)


def body(env, tap):
    configurations(env, tap)
    advice(env, tap)
    running(env, tap)
    if env.with_libra:
        system(env, tap)


if __name__ == "__main__":
    vmtest.main("doctor", __doc__, body, daemon=False)
