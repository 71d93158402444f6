# SPDX-License-Identifier: GPL-2.0-only
"""What the agent reads of processes and sockets."""

import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest
import unittest.mock

from libra_bench import agent, sample

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


class KernelThreads(unittest.TestCase):
    STAT = "{} ({}) S 2 0 0 0 -1 {} 0 0"
    KERNEL, PROCESS = 69238880, 4194560     # flags, as they are

    def test_which(self):
        """Neither a process, nor ksoftirqd, nor one that has gone."""
        with tempfile.TemporaryDirectory() as proc:
            for pid, name, flags in (
                    (1, "init", self.PROCESS), (9, "kworker/u4:0-libra", self.KERNEL),
                    (10, "a) (b", self.KERNEL), (14, "ksoftirqd/0", self.KERNEL)):
                folder = pathlib.Path(proc, str(pid))
                folder.mkdir()
                (folder / "stat").write_text(self.STAT.format(pid, name, flags))
            pathlib.Path(proc, "11").mkdir()
            with unittest.mock.patch.object(agent.time, "clock_gettime_ns",
                                            {agent.cpu_clock(9): 900, agent.cpu_clock(10): 7}.get):
                self.assertEqual(agent.kernel_threads(proc), {"9": 900, "10": 7})
            self.assertIsNone(agent.kernel_threads(os.path.join(proc, "11")))

    def test_between_two_samples(self):
        """Of one that is new all counts; one that ended has no more to say."""
        def at(seconds, threads):
            return {"cpu": {"total_ns": 0, "user_s": 0, "system_s": 0}, "at_ns": seconds * 10 ** 9,
                    "machine": {}, "libra": None, "kernel_threads": threads}

        moved = sample.difference(at(1, {"9": 500, "10": 7}), at(2, {"9": 900, "12": 100}))
        self.assertAlmostEqual(moved["kernel_threads_s"], 500e-9)
        self.assertNotIn("kernel_threads_s", sample.difference(at(1, None), at(2, None)))


if __name__ == "__main__":
    unittest.main()
