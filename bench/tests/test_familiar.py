# SPDX-License-Identifier: GPL-2.0-only
"""What is read of the output of wrk and h2load."""

import unittest

from libra_bench import familiar, matrix
from libra_bench.error import BenchError

WRK = """Running 1s test @ http://127.0.0.1:18000/bytes/65536
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    94.95us  328.38us   4.71ms   97.57%
    Req/Sec    52.22k     6.36k   55.07k    90.00%
  Latency Distribution
     50%   48.00us
     75%   57.00us
     90%   64.00us
     99%    1.95ms
  51918 requests in 1.00s, 3.17GB read
Requests/sec:  51757.91
Transfer/sec:      3.16GB
"""
H2LOAD = """finished in 1.00s, 56514.00 req/s, 3.45GB/s
requests: 56514 total, 56518 started, 56514 done, 56510 succeeded, 4 failed, 3 errored, 1 timeout
status codes: 56510 2xx, 0 3xx, 1 4xx, 0 5xx
"""
GROUP = """
[defaults]
seconds = 1
warm-up = 0
repetitions = 1
[[group]]
name = "familiar"
systems = ["nginx"]
sizes = ["64K"]
connections = [8]
clients = ["wrk", "libra"]
"""


class Output(unittest.TestCase):
    def test_wrk(self):
        self.assertEqual(familiar.parse_wrk(WRK), (
            51918, 0, 1.0, {"p50": 48.0, "p90": 64.0, "p99": 1950.0}))

    def test_wrk_with_errors(self):
        said = WRK + "  Socket errors: connect 0, read 3, write 0, timeout 2\n" \
                     "  Non-2xx or 3xx responses: 7\n"
        self.assertEqual(familiar.parse_wrk(said)[1], 12)

    def test_h2load(self):
        self.assertEqual(familiar.parse_h2load(H2LOAD), (56510, 4, 1.0, {}))

    def test_nothing_useful(self):
        for parse in (familiar.parse_wrk, familiar.parse_h2load):
            with self.assertRaises(BenchError):
                parse("unable to connect\n")

    def test_whole_seconds(self):
        for client in ("wrk", "h2load"):
            self.assertRegex(" ".join(familiar.argv(client, 4, 0.4, "http://a/")), "[dD]1s? ")


class InTheMatrix(unittest.TestCase):
    def test_points(self):
        group, = matrix.parse(GROUP)
        self.assertEqual([point.client for point in group.points], ["wrk", "libra"])
        self.assertEqual([point.name() for point in group.points],
                         ["download 64K c8 wrk", "download 64K c8"])

    def test_refused(self):
        for more in ('shapes = ["upload"]', 'reuse = ["one-shot"]', 'clients = ["ab"]'):
            text = GROUP.replace('clients = ["wrk", "libra"]\n', "") if "ab" in more else GROUP
            with self.assertRaises(BenchError):
                matrix.parse(text + more + "\n")


if __name__ == "__main__":
    unittest.main()
