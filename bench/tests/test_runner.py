# SPDX-License-Identifier: GPL-2.0-only
"""The order in which systems are measured, and what stands in front of them."""

import contextlib
import random
import types
import unittest
import unittest.mock

from libra_bench import runner, systems
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

    def commands(self, name):
        """{process: what stands in front of its program}"""
        started = {}

        def server(_host, what, argv, *_, **__):
            program = next(i for i, word in enumerate(argv) if word.startswith("/usr"))
            started[what] = argv[:program]
            return contextlib.nullcontext()

        host = types.SimpleNamespace(path=lambda name: f"/tmp/{name}", call=lambda *_, **__: None,
                                     write=lambda *_: None)
        place = types.SimpleNamespace(
            proxy=host, pins={"proxy": None}, build={"proxy": "/b"}, proxy_address="192.0.2.1",
            origin_address="192.0.2.2")
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
        self.assertEqual(self.commands("nginx-lazy-beside"),
                         {"neighbour": preload, "nginx-lazy-beside": []})


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
