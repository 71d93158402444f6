# SPDX-License-Identifier: GPL-2.0-only
"""The order in which systems are measured."""

import random
import unittest

from libra_bench import runner, systems


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


if __name__ == "__main__":
    unittest.main()
