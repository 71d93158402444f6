# SPDX-License-Identifier: GPL-2.0-only
"""The matrix: what is accepted, what is refused and how, and what a choice keeps."""

import os
import unittest

from libra_bench import BENCH, matrix
from libra_bench.error import BenchError

GOOD = """
[defaults]
seconds = 1
warm-up = 0
repetitions = 3
[[group]]
name = "sizes"
systems = ["nginx", "nginx+libra"]
sizes = ["1K", "64K"]
connections = [8]
[[group]]
name = "rates"
systems = ["nginx+libra"]
sizes = ["64K"]
connections = [8]
rates = [0.7]
rate-of = { "nginx+libra" = "nginx" }
"""


class Parsing(unittest.TestCase):
    def refused(self, text, *words):
        with self.assertRaises(BenchError) as caught:
            matrix.parse(text, "m.toml")
        for word in ("m.toml", *words):
            self.assertIn(word, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_good(self):
        sizes, rates = matrix.parse(GOOD)
        self.assertEqual([p.size for p in sizes.points], [1024, 65536])
        self.assertEqual((sizes.seconds, sizes.repetitions), (1, 3))
        self.assertEqual((sizes.at_least, sizes.idle), (0, 0))
        sizes, _ = matrix.parse(GOOD.replace("seconds = 1", "seconds = 1\nat-least = 5\nidle = 2"))
        self.assertEqual((sizes.at_least, sizes.idle), (5, 2))
        self.assertEqual(rates.points[0].rate, 0.7)

    def test_links(self):
        sizes, rates = matrix.parse(GOOD.replace('"rates"', '"rates"\noffload = false', 1))
        self.assertEqual((sizes.offload, rates.offload), (True, False))
        self.refused(GOOD.replace('"rates"', '"rates"\noffload = 0', 1), "offload", "type")
        path = os.path.join(BENCH, "matrix", "lazy.toml")
        with open(path, encoding="utf-8") as text:
            self.assertEqual([group.name for group in matrix.parse(text.read(), path)
                              if not group.offload], ["segments"])

    def test_those_of_the_tree(self):
        for name in sorted(os.listdir(os.path.join(BENCH, "matrix"))):
            with open(os.path.join(BENCH, "matrix", name), encoding="utf-8") as text:
                self.assertTrue(matrix.parse(text.read(), name))

    def test_refused(self):
        self.refused("=", "1")
        self.refused("", "group")
        self.refused("[x]\n" + GOOD, "'x'")
        for old, new, *words in (
                ('"nginx", ', '"ngnix", ', "ngnix", "relay-copy"),
                ('"1K"', '"1X"', "1X"),
                ("[8]", "[0]", "'0'"),
                ("repetitions = 3", "repetitions = 0", "repetitions"),
                ("repetitions = 3", "repetitions = true", "repetitions", "type"),
                ("seconds = 1", "second = 1", "'second'"),
                ("seconds = 1", "seconds = 1\nidle = -1", "idle"),
                ("seconds = 1\n", "", "seconds", "missing"),
                ('"rates"', '"sizes"', "same name"),
                ('"rates"', '"nginx"', "name of a system"),
                ("[0.7]", "[3]", "'3'"),
                ('= "nginx" }', '= "haproxy" }', "haproxy"),
                ('rate-of = { "nginx+libra" = "nginx" }', "", "rate-of"),
                ('["1K", "64K"]', "[]", "empty")):
            with self.subTest(new=new):
                self.refused(GOOD.replace(old, new, 1), *words)

    def test_sizes(self):
        for text, count in (("1", 1), ("100", 100), ("4K", 4096), ("4M", 4 << 20)):
            self.assertEqual(matrix.size(text), count)
            self.assertEqual(matrix.size_name(count), text)
        for text in ("", "0", "-1", "17M", "1G", "1k", "K"):
            with self.assertRaises(BenchError):
                matrix.size(text)


class Choosing(unittest.TestCase):
    def choose(self, **choice):
        return matrix.choose(matrix.parse(GOOD), matrix.Choice(**choice))

    def test_all(self):
        self.assertEqual([g.name for g in self.choose()], ["sizes", "rates"])

    def test_one_row(self):
        group, = self.choose(only=["sizes", "nginx"], sizes=[1024], repetitions=2)
        self.assertEqual((group.systems, len(group.points), group.repetitions),
                         (["nginx"], 1, 2))

    def test_shorter_windows(self):
        for group in matrix.choose(matrix.parse(GOOD.replace("warm-up = 0", "warm-up = 2")),
                                   matrix.Choice(shorten=4)):
            self.assertEqual((group.seconds, group.warm_up, group.repetitions), (0.25, 0.5, 3))
        sizes, rates = matrix.choose(
            matrix.parse(GOOD.replace('"rates"', '"rates"\nat-least-seconds = 0.5')),
            matrix.Choice(shorten=4))
        self.assertEqual((sizes.seconds, rates.seconds), (0.25, 0.5))

    def test_a_rate_brings_its_saturation(self):
        sizes, rates = self.choose(only=["rates"])
        self.assertEqual(sizes.systems, ["nginx"])
        self.assertEqual([p.size for p in sizes.points], [65536])
        self.assertEqual(rates.systems, ["nginx+libra"])

    def test_nothing_left(self):
        for choice in ({"only": ["what"]}, {"systems": ["what"]}, {"sizes": [5]}):
            with self.assertRaises(BenchError):
                self.choose(**choice)


if __name__ == "__main__":
    unittest.main()
