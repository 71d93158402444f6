# SPDX-License-Identifier: GPL-2.0-only
"""The links between the namespaces, and what they carry."""

import types
import unittest

from libra_bench import topology
from libra_bench.error import BenchError


class Offload(unittest.TestCase):
    def place(self, **how):
        self.said = []
        hosts = {role: types.SimpleNamespace(
            run=lambda argv, role=role: self.said.append((role, " ".join(argv))))
            for role in topology.ROLES}
        return topology.Topology(**hosts, proxy_address="", origin_address="", pins={},
                                 where="netns", build={}, **how)

    def test_both_ends_of_each_link(self):
        place = self.place()
        place.offload(True)     # as they are
        self.assertEqual(self.said, [])
        for state in ("off", "on"):
            for _ in range(2):
                place.offload(state == "on")
            self.assertEqual(self.said, [
                (role, f"ethtool -K {device} gro off tso {state} gso {state}")
                for role, device in (("client", "toproxy"), ("proxy", "toclient"),
                                     ("proxy", "toorigin"), ("origin", "toproxy"))])
            self.said.clear()

    def test_not_of_hosts(self):
        with self.assertRaises(BenchError):
            self.place(shared=False).offload(False)


if __name__ == "__main__":
    unittest.main()
