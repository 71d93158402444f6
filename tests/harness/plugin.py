# SPDX-License-Identifier: GPL-2.0-only
"""The example parser, built from nothing but what is installed, and the Redis it is for."""

import os
import shutil
import subprocess

from . import netns
from .process import Process
from .servers import find_program, start_haproxy

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../bpf/examples/parser-redis")
BESIDE = "127.0.0.2"
HAPROXY = """
global
    nbthread 1
    maxconn 512
    tune.bufsize 32768
defaults
    mode tcp
    timeout connect 20s
    timeout client 60s
    timeout server 60s
listen proxy
    bind {listen}
    server redis {upstream}
"""


def _run(*command):
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if run.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {run.stdout[-2000:]}{run.stderr[-2000:]}")


class Workshop:
    """What libra-dev installs, in a folder of its own, and parsers made with it."""

    def __init__(self, build, directory):
        self._directory = directory
        self._source = os.path.join(directory, "parser-redis")
        self._build = os.path.join(directory, "parser-redis-build")
        prefix = os.path.join(directory, "prefix")
        _run("cmake", "--install", build, "--component", "libra-dev", "--prefix", prefix)
        shutil.copytree(EXAMPLE, self._source)
        with open(os.path.join(self._source, "redis.bpf.c"), encoding="ascii") as file:
            self._text = file.read()
        # Once: an emulated machine takes longer for this than for all parsers.
        _run("cmake", "-S", self._source, "-B", self._build, f"-DCMAKE_PREFIX_PATH={prefix}")

    def redis(self, version=None, keeps=1, extra=""):
        """The path of the example's object; of another version with what differs."""
        name = f"redis-{version}-{keeps}{'-odd' if extra else ''}"
        if not version:
            return self._make(name, self._text)
        return self._make(name, f'#define REDIS_VERSION "{version}"\n'
                                f"#define REDIS_KEEPS {keeps}\n{self._text}{extra}")

    def of(self, name, text):
        """The path of a parser of one's own, of which this is the source."""
        return self._make(name, "#include <libra_bpf.h>\n" + text)

    def _make(self, name, text):
        with open(os.path.join(self._source, "redis.bpf.c"), "w", encoding="ascii") as file:
            file.write(text)
        _run("cmake", "--build", self._build)
        return shutil.copy(os.path.join(self._build, "redis.bpf.o"),
                           os.path.join(self._directory, f"{name}.bpf.o"))


def redis_server(env, port):
    """Nothing of it is written to files. At BESIDE no policy names it."""
    directory = os.path.join(env.directory, f"redis-{port}")
    os.makedirs(directory, exist_ok=True)
    process = Process("redis-server", [
        find_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", BESIDE,
        "--save", "", "--appendonly", "no", "--dir", directory,
        "--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"],
        os.path.join(directory, "log"))
    try:
        netns.wait_listening(process, port)
    except BaseException:
        process.stop()
        raise
    return process


def tcp_proxy(env, listen, upstream):
    return start_haproxy("haproxy tcp", os.path.join(env.directory, "haproxy-tcp"),
                         HAPROXY.format(listen=listen, upstream=upstream),
                         int(listen.rsplit(":", 1)[1]))


class Cli:
    """redis-cli, as who wants bytes exactly."""

    def __init__(self, port, host="127.0.0.1"):
        self._command = [find_program("redis-cli"), "-h", host, "-p", str(port)]

    def set(self, key, value):
        run = subprocess.run([*self._command, "-x", "SET", key], input=value, check=False,
                             capture_output=True, timeout=120)
        return run.stdout

    def get(self, key):
        """redis-cli adds a newline."""
        run = subprocess.run([*self._command, "GET", key], check=False, capture_output=True,
                             timeout=120)
        return run.stdout[:-1]


class Benchmark:
    """A running redis-benchmark; result() waits for it."""

    def __init__(self, port, *options):
        self._popen = subprocess.Popen(
            [find_program("redis-benchmark"), "-p", str(port), "--csv", *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def running(self):
        return self._popen.poll() is None

    def result(self, timeout=400):
        """The tests that it did, and what it complained of."""
        try:
            out, _ = self._popen.communicate(timeout=timeout)
        finally:
            if self.running():
                self._popen.kill()
                self._popen.wait()
        rows = [line.split(",")[0].strip('"') for line in out.splitlines()
                if line.startswith('"') and not line.startswith('"test"')]
        complaints = [line for line in out.splitlines() if line and not line.startswith('"')]
        if self._popen.returncode != 0:
            complaints.append(f"exit status {self._popen.returncode}")
        return rows, complaints
