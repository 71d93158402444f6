# SPDX-License-Identifier: GPL-2.0-only
"""Where a test runs: a network namespace, a scratch directory, the module, librad.

Every test can be run alone: it loads the module if it is not loaded, and a
module that it loaded it unloads in the end, which fails if a reference leaked.
"""

import argparse
import contextlib
import os
import tempfile

from . import content, kmemleak, lazy, libra, load, netns, servers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def add_options(parser):
    parser.add_argument("--build", metavar="DIR", default=os.path.join(ROOT, "build"),
                        help="CMake's build directory (default: build/ of this tree)")
    parser.add_argument("--libra-ko", metavar="PATH",
                        help="module to load (default: modprobe libra, unless it is loaded)")


def add_test_options(parser):
    add_options(parser)
    parser.add_argument("--quick", action="store_true", help="shorter loads")
    parser.add_argument("--no-libra", action="store_true",
                        help="plain proxies: checks the tests themselves on any kernel")
    parser.add_argument("--workers", metavar="N", type=int, default=1,
                        help="of each nginx, and threads of each HAProxy (default: 1)")


def test_options(description, add_more=None):
    parser = argparse.ArgumentParser(description=description)
    add_test_options(parser)
    if add_more:
        add_more(parser)
    return parser.parse_args()


class Environment:
    """A context manager; what it starts ends with it, in reverse order."""

    def __init__(self, args, sizes=(), daemon=True, parsers=("http1",)):
        self.args = args
        self.build = os.path.abspath(args.build)
        self.daemon = None
        self.with_libra = not getattr(args, "no_libra", False)
        self._want_daemon = daemon
        self._sizes = sizes
        self._parsers = parsers
        self._stack = contextlib.ExitStack()
        self._proxies = 0
        servers.workers = getattr(args, "workers", 1)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="libra-"))
            netns.enter()
            self.content = os.path.join(self.directory, "content")
            content.create(self.content, self._sizes)
            if self.with_libra:
                if not libra.loaded():
                    libra.load_module(self.args.libra_ko)
                    stack.callback(_unload)
                # Before that: a module that is gone has no names in a leak's backtrace.
                stack.callback(kmemleak.check)
                if self._want_daemon:
                    self.daemon = stack.enter_context(
                        libra.Daemon(self.build, self.directory, self._parsers))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc):
        return self._stack.__exit__(*exc)

    def reference(self, name):
        return os.path.join(self.content, name)

    def path(self, name):
        return os.path.join(self.directory, name)

    def origin(self, *addresses, sendfile=True, extra=""):
        return servers.start_origin(self.path("origin"), self.content, addresses, sendfile, extra)

    @contextlib.contextmanager
    def proxy(self, program, config, listen, upstream, mode="token", extra="", options=(),
              rule=None, connections=512, preload=False):
        """A proxy with both of its sides attached; mode None leaves it alone.

        rule is the listener as the policy names it, if that is not how the proxy does.
        preload: the proxy gets payload memory for its buffers.
        """
        self._proxies += 1
        with contextlib.ExitStack() as stack:
            if self.daemon and mode:
                stack.enter_context(self.daemon.policy(
                    rule or listen, upstream, self._proxies, mode, options))
            yield stack.enter_context(servers.start_proxy(
                self.path(f"proxy-{self._proxies}"), program, config, listen, upstream, extra,
                connections, self.preload() if preload else None))

    def preload(self, smallest=None):
        """The environment of a program that is to have payload memory; none without Libra."""
        return lazy.preload(self.build, smallest) if self.with_libra else None

    def load(self, address, name, *options):
        return load.Load(self.build, f"http://{address}/{name}", self.reference(name), *options)

    def counters(self):
        """Zeros without Libra, so that differences can be taken either way."""
        return libra.counters() if self.with_libra else _Nothing()

    def check_idle(self, case, allowed=()):
        """Nothing is attached, no anchor is left, and nothing (else) had to fail-stop."""
        if not self.with_libra:
            return
        case.equal(libra.settle(), {}, "left behind")
        stops = {name: value for name, value in libra.counters().items()
                 if name.startswith("fail_stop_") and name not in allowed and value}
        case.equal(stops, {}, "fail-stops")

    def check_anchored(self, case, before, received=None):
        """The case is about Libra only if payload was anchored and redeemed in it.

        received: what each proxy's clients got, by proxy, in bytes. The counters are of all
        proxies together, so what was not anchored has to be less than half of the least of them.
        """
        if not self.with_libra:
            return
        now = self.counters()
        for name in ("anchors_minted", "tx_redeemed_bytes"):
            case.check(now[name] > before[name], f"nothing was anchored: {name} did not move")
        if not received:
            return
        native = sum(received.values()) - (now["tx_redeemed_bytes"] - before["tx_redeemed_bytes"])
        print(f"# clients received {received}, {native} of it natively", flush=True)
        case.check(native < min(received.values()) / 2,
                   f"{native} bytes were not sent from anchors; clients received {received}: one "
                   "proxy may have anchored nothing")


def _unload():
    if libra.loaded():  # a test that failed may have unloaded it
        libra.unload_module()


class _Nothing(dict):
    def __missing__(self, key):
        return 0
