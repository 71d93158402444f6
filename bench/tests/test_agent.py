# SPDX-License-Identifier: GPL-2.0-only
"""What the agent reads of processes and sockets."""

import os
import subprocess
import sys
import types
import unittest
import unittest.mock

from libra_bench import agent

SS = """0 0 10.91.1.2:8080 10.91.1.1:40000
\t skmem:(r2304,rb131072,t0,tb2626560,f1792,w4608,o0,bl0,d3)
0 0 10.91.2.2:40002 10.91.2.1:8000
\t skmem:(r0,rb131072,t0,tb2626560,f4096,w0,o16,bl256,d0)
"""


class Memory(unittest.TestCase):
    def test_of_processes(self):
        grow = "x = bytearray(32 << 20); print(flush=True); import sys; sys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", grow], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            alone = agent.resident([child.pid])
            both = agent.resident([child.pid, os.getpid()])
            child.stdin.close()
        self.assertGreater(alone["pss"], 32 << 20)
        self.assertGreaterEqual(alone["rss"], alone["pss"])
        self.assertGreater(both["pss"], alone["pss"])
        self.assertEqual(agent.resident([]), {"pss": 0, "rss": 0})

    def test_of_sockets(self):
        """What is queued, for either side, and kept in advance; not the limits, nor drops."""
        for said, held in ((SS, 2304 + 1792 + 4608 + 4096 + 16 + 256), ("", 0),
                           ("0 0 10.91.1.2:8080 10.91.1.1:40000\n", None)):
            with unittest.mock.patch.object(agent.subprocess, "run", return_value=
                                            types.SimpleNamespace(stdout=said)):
                self.assertEqual(agent.socket_memory(), held)


if __name__ == "__main__":
    unittest.main()
