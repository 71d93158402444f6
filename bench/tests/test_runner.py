# SPDX-License-Identifier: GPL-2.0-only
"""The order in which systems are measured, and what stands in front of them."""

import contextlib
import random
import re
import types
import unittest
import unittest.mock

from libra_bench import matrix, runner, sample, setup, systems
from libra_bench.error import BenchError


class Order(unittest.TestCase):
    def test_each_once_and_parsers_together(self):
        rng = random.Random(1)
        orders = set()
        for _ in range(200):
            order = runner.shuffled(rng, list(systems.NAMES))
            self.assertEqual(sorted(order), sorted(systems.NAMES))
            parsers = [systems.BY_NAME[name].parser for name in order]
            for parser in ("http1", "tls"):
                first = parsers.index(parser)
                self.assertEqual(set(parsers[first:first + parsers.count(parser)]), {parser})
            orders.add(tuple(order))
        self.assertGreater(len(orders), 190)


class Started(unittest.TestCase):
    """Who has the allocator, and over which memory."""

    def commands(self, name, root=""):
        """{process: what stands in front of its program}"""
        started = {}

        def server(_host, what, argv, *_, **__):
            program = next(i for i, word in enumerate(argv) if re.search("/usr/s?bin/", word))
            started[what] = argv[:program]
            return contextlib.nullcontext()

        host = types.SimpleNamespace(path=lambda name: f"/tmp/{name}", call=lambda *_, **__: None,
                                     run=lambda *_: None,
                                     write=lambda *_: None)
        place = types.SimpleNamespace(
            proxy=host, pins={"proxy": None}, build={"proxy": "/b"}, proxy_address="192.0.2.1",
            origin_address="192.0.2.2", root=root)
        libra = types.SimpleNamespace(quiet=lambda: None)
        with unittest.mock.patch.object(systems, "Server", server), \
                systems.running(place, libra, systems.BY_NAME[name], 1):
            return started

    def test_allocator(self):
        preload = ["env", "LD_PRELOAD=/b/userspace/malloc/libra-malloc.so"]
        for kind in ("nginx", "haproxy"):
            self.assertEqual(self.commands(kind), {kind: []})
            self.assertEqual(self.commands(f"{kind}+lazy"), {f"{kind}+lazy": preload})
            self.assertEqual(self.commands(f"{kind}+malloc"),
                             {f"{kind}+malloc": [*preload, "LIBRA_MALLOC_DEVICE=none"]})
        self.assertEqual(self.commands("nginx-default+lazy"), {
            "nginx-default+lazy": [*preload, "LIBRA_MALLOC_MIN=4096"]})
        self.assertEqual(self.commands("nginx-lazy-beside"),
                         {"neighbour": preload, "nginx-lazy-beside": []})

    def test_of_another_root_file_system(self):
        loader = ["/r/lib64/ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path",
                  "/r/usr/lib/x86_64-linux-gnu"]
        preload = ["env", "LD_PRELOAD=/b/userspace/malloc/libra-malloc.so"]
        self.assertEqual(self.commands("haproxy-splice", "/r"), {"haproxy-splice": loader})
        self.assertEqual(self.commands("haproxy+lazy", "/r"), {"haproxy+lazy": preload + loader})
        self.assertEqual(self.commands("nginx-lazy-beside", "/r"),     # who is beside it is not
                         {"neighbour": preload, "nginx-lazy-beside": loader})
        self.assertEqual(systems.proxy_command("/r", "nginx")[-1], "/r/usr/sbin/nginx")

    def test_libraries_of_another_root_file_system(self):
        def check(status, said, error=""):
            host = types.SimpleNamespace(
                call=lambda *_, **__: True,
                run=lambda *_, **__: {"status": status, "stdout": said, "stderr": error})
            setup.check_libraries(host, "/r", "haproxy")

        check(0, "\tlinux-vdso.so.1 (0x7f)\n\tlibc.so.6 => /r/usr/lib/libc.so.6 (0x7f)\n")
        for given, word in (((0, "\tlibz.so.1 => /lib/libz.so.1 (0x7f)\n"), "/lib/libz.so.1"),
                            ((127, "", "haproxy: libz.so.1: not there\n"), "not there"),
                            ((127, ""), "missing")):
            with self.assertRaisesRegex(BenchError, word):
                check(*given)


class Client(unittest.TestCase):
    PLACE = types.SimpleNamespace(build={"client": "/b"})
    POINT = matrix.Point("g", "download", 1024, 8)

    def argv(self, service, **how):
        return " ".join(sample.client_argv(self.PLACE, self.POINT, service, **how))

    def test_asks_as_the_system_wants_it(self):
        service = systems.Service("192.0.2.1:80", systems.BY_NAME["nginx-tls+lazy"].asked)
        self.assertIn(" --tls ", self.argv(service, requests=1))
        for system in systems.SYSTEMS:      # beside each other, so asked in the same way
            if system.baseline:
                self.assertEqual(system.asked, systems.BY_NAME[system.baseline].asked)

    def test_bodies(self):
        service = systems.Service("192.0.2.1:80")
        text = self.argv(service, requests=12, verify=True, vary=0)
        self.assertTrue(text.endswith("--verify --vary 0"), text)
        self.assertNotIn("--vary", self.argv(service, seconds=1))

    def test_windows(self):
        service = systems.Service("192.0.2.1:80")
        text = self.argv(service, seconds=0.5, at_least=16, linger=True)
        self.assertTrue(text.endswith("--seconds 0.5 --at-least 16 --linger"), text)
        text = self.argv(service, seconds=0.5, at_least=16, rate=10)
        self.assertNotIn("--at-least", text)    # it has as many as the rate says


class Configurations(unittest.TestCase):
    def text(self, name):
        return systems.nginx_text(systems.BY_NAME[name].variant, "/d", "192.0.2.1:80",
                                  "192.0.2.2:80", 4)

    def test_nginx(self):
        self.assertIn("proxy_buffers 16 64k;", self.text("nginx"))
        self.assertNotIn("proxy_buffer", self.text("nginx-default"))
        self.assertIn("proxy_buffering off;", self.text("nginx-large"))
        self.assertIn("backlog=4096 ssl;", self.text("nginx-tls"))
        for name, word in (("nginx-gzip", "gzip on;"), ("nginx-sub", "sub_filter "),
                           ("nginx-tls", "ssl_certificate ")):
            self.assertIn(word, self.text(name))
            self.assertNotIn(word, self.text("nginx"))


class Compared(unittest.TestCase):
    def test_with_those_that_there_are(self):
        for system in systems.SYSTEMS:
            for name in (*([system.baseline] if system.baseline else []), *system.peers):
                self.assertIn(name, systems.NAMES)

    def test_each_can_be_drawn(self):
        try:
            from libra_bench import plots
        except BenchError as error:
            self.skipTest(str(error))
        self.assertEqual(sorted(plots.STYLES), sorted(systems.NAMES))


if __name__ == "__main__":
    unittest.main()
