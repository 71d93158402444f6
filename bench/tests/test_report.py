# SPDX-License-Identifier: GPL-2.0-only
"""The report and the check, on a small result made by hand."""

import copy
import dataclasses
import unittest

from libra_bench import check, matrix, progress, report, rows, stats, systems, targets
from libra_bench.error import BenchError

MATRIX = """
[defaults]
seconds = 1
warm-up = 0
repetitions = 2
[[group]]
name = "sizes"
systems = ["direct", "nginx", "nginx+libra"]
sizes = ["16K", "64K", "1M"]
connections = [4]
[[group]]
name = "rates"
systems = ["nginx", "nginx+libra"]
sizes = ["64K"]
connections = [4]
rates = [0.7]
rate-of = { "nginx" = "nginx", "nginx+libra" = "nginx" }
"""
UNAME = ["Linux", "here", "6.12.0", "#1", "x86_64"]


LAZY = MATRIX.replace('"direct", "nginx", "nginx+libra"',
                      '"nginx", "nginx+malloc", "nginx+lazy", "nginx-lazy-beside"')


def counters(system, size):
    """Of 100 requests. In lazy mode all but a page is kept, and one other is looked at."""
    if system == "nginx+libra":
        return {"rx_copied_bytes": 200, "tx_copied_bytes": 0, "rx_anchored_bytes": 100 * size}
    if system == "nginx+lazy":
        return {"lazy_rx_bytes": 100 * (size - 4096), "lazy_tx_bytes": 100 * (size - 8192),
                "lazy_fills_user": 100, "lazy_unmaps": 50}
    return {}


def memory(system):
    """The plain one has 10 MB, the allocator a half more, in lazy mode anchors as well; what it
    keeps when idle is less each time that somebody looks."""
    pss = {"nginx+malloc": 15, "nginx+lazy": 11}.get(system, 10) * 1000000
    anchors = 4000000 if system == "nginx+lazy" else 0

    def look(*held):
        return {"looks": [{"pss": pss, "rss": 2 * pss, "anchor_charge_live": count,
                           "payload_pages": 0} for count in held], "sockets": 500000}

    return {"loaded": look(0, anchors), "idle": look(anchors // 4), "idle_s": 2.5}


def sample(system, number, point):
    """nginx needs 10 us and 100 us for each 64 KB, with Libra a half, with the allocator 0.8."""
    requests = 100
    each = (10e-6 + 100e-6 * point["size"] / 65536) * {
        "nginx+libra": 0.5, "nginx+malloc": 0.8, "nginx+lazy": 0.4}.get(system, 1)
    return {
        "system": system, "round": number, "point": point, "asked_rate": 0,
        "client": {"requests": requests, "errors": 0, "seconds": 1.0, "rate": 100.0,
                   "bytes": requests * point["size"], "histogram": [[100, 99], [2000, 1]],
                   "latency_us": {"p50": 100, "p90": 100, "p99": 100, "p999": 2000}},
        "proxy": {"cpu_s": 0 if system == "direct" else requests * each, "seconds": 1.0,
                  "user_ticks_s": 0.25, "system_ticks_s": 0.75, "others_s": 0.1,
                  "kernel_threads_s": 0.002 if system == "nginx+lazy" else 0.0005,
                  "machine_s": {"user": 0.1, "nice": 0, "system": 0.3, "irq": 0, "softirq": 0.1},
                  "libra": counters(system, point["size"])},
        **({"memory": memory(system)} if number == 0 else {}),
    }


def result(accel="tcg", text=MATRIX):
    groups = [dataclasses.asdict(group) for group in matrix.parse(text)]
    host = {"uname": UNAME, "cpus": 2, "pinned": None, "prefix": []}
    return {
        "format": 1, "complete": True, "seed": 7, "matrix": groups, "options": {},
        "configuration": {"where": "netns", "accel": accel, "kernel_name": "stock",
                          "source": "abc", "hosts": dict.fromkeys(("client", "proxy"), host),
                          "cpu_model": "some", "memory": "1 kB",
                          "versions": {"nginx": "nginx 1", "haproxy": "HAProxy 2"}},
        "samples": [sample(name, number, point) for group in groups
                    for point in group["points"] for name in group["systems"]
                    for number in range(2)],
        "verified": [{"system": name, "shape": "download", "size": size, "one_shot": False,
                      "requests": 6, "bytes": 6 * size}
                     for name in groups[0]["systems"] + ["nginx+libra"]
                     for size in (16 << 10, 64 << 10, 1 << 20)],
        "probes": [{"system": "nginx", "point": groups[0]["points"][0], "strace": {
            "requests": 10, "bytes": 1000, "total": 80, "calls": {"readv": 30, "writev": 50},
            "copied": {"in": 1000, "out": 1000}}}],
        "settled": {"left": {}, "counters": {"fail_stops": 0}},
    }


class Report(unittest.TestCase):
    def test_emulated_is_said_in_each_title(self):
        text = report.text(result())
        titles = [line for line in text.splitlines() if line.startswith("#")]
        self.assertGreater(len(titles), 4)
        for title in titles:
            self.assertIn("emulated", title)
        self.assertNotIn("emulated", report.text(result("kvm")))

    def test_ratio_of_capacity(self):
        text = report.text(result())
        line = next(line for line in text.splitlines()
                    if "download 64K" in line and "nginx+libra" in line)
        self.assertIn("2.00 (2.00…2.00)×", line)

    def test_command_for_a_row(self):
        self.assertIn("bench/run --where vm --kernel stock --only sizes nginx nginx+libra "
                      "--size 1M --connections 4 --shape download --seed 7",
                      report.text(result()))

    def test_other_proxies(self):
        other = result()
        other["options"]["root"] = True
        text = report.text(other)
        self.assertIn("nginx 1; HAProxy 2; of another root file system", text)
        self.assertIn(" --root DIR ", text)
        self.assertNotIn("--root", report.text(result()))

    def test_kernel_threads(self):
        first = {row.system.name: row for row in
                 rows.Table(result(text=LAZY)).of_group("sizes")[:3]}
        for name, each in (("nginx", 5), ("nginx+lazy", 20)):
            self.assertAlmostEqual(first[name].median("kernel_us"), each)
        older = result()
        for sample_of in older["samples"]:
            del sample_of["proxy"]["kernel_threads_s"]
        self.assertIn("kernel threads µs/request", report.text(older))

    def percentiles(self, requests, rounds, histogram):
        """What a report says of the latencies of so many requests in each round."""
        few = result()
        few["samples"] = [s for s in few["samples"] if s["round"] < rounds]
        for sample_of in few["samples"]:
            sample_of["client"].update(requests=requests, histogram=histogram)
        row = next(row for row in rows.Table(few).of_group("sizes")
                   if row.system.name == "nginx+libra")
        return row, rows.Table(few).baseline(row), report.text(few)

    def test_percentiles_need_answers(self):
        # Of each round P90 and below, and of both together no more.
        row, baseline, text = self.percentiles(100, 2, [[100, 99], [2000, 1]])
        self.assertEqual([row.has(p) for p in rows.PERCENTILES], [True, True, False, False])
        self.assertIsNone(row.ratio("p99", baseline))
        self.assertIn("| 0.1 | 0.1 | – | – |", text)
        # Of each round P50, and of both together no more, or P90.
        row, _, _ = self.percentiles(40, 2, [[100, 36], [700, 4]])
        self.assertEqual([row.has(p) for p in rows.PERCENTILES], [True, False, False, False])
        row, baseline, _ = self.percentiles(60, 2, [[100, 50], [700, 10]])
        self.assertEqual([row.has(p) for p in rows.PERCENTILES], [True, True, False, False])
        self.assertEqual(row.estimate("p90").text(), "700")
        self.assertEqual(row.ratio("p90", baseline).text(), "1")
        # Enough in each round.
        row, baseline, _ = self.percentiles(10000, 2, [[100, 9990], [2000, 10]])
        self.assertTrue(all(row.has(p) for p in rows.PERCENTILES))
        self.assertEqual(row.ratio("p99", baseline).count, 2)
        # None together, as wrk and h2load have no histogram.
        row, _, _ = self.percentiles(19, 2, [])
        self.assertFalse(any(row.has(p) for p in rows.PERCENTILES))

    def test_slope(self):
        table = rows.Table(result())
        (_, series), = table.sweep()
        intercept, slope = rows.slope(series["nginx"], "cpu_us")
        self.assertAlmostEqual(intercept, 10)
        self.assertAlmostEqual(slope, 1600)

    def test_clocks_of_instructions(self):
        counted = result()
        counted["configuration"]["clock"] = "instructions"
        text = report.text(counted)
        self.assertIn("2 virtual CPUs shared one clock", text)
        self.assertIn("--icount --smp 2 ", text)
        counted["configuration"]["hosts"]["proxy"]["cpus"] = 1
        counted["options"]["smp"] = 1
        text = report.text(counted)
        self.assertNotIn("shared one clock", text)
        self.assertIn("--icount --only", text)
        self.assertNotIn("shared one clock", report.text(result()))

    def test_headers_count_for_all_alike(self):
        """400 bytes of headers a request, and 600 for what is sent."""
        seen = result()
        size = 16 << 10
        seen["probes"][0]["strace"].update(
            bytes=10 * size, copied={"in": 10 * (size + 400), "out": 10 * (size + 600)})
        first = {row.system.name: row for row in rows.Table(seen).of_group("sizes")[:3]}
        table = rows.Table(seen)
        self.assertEqual(table.copied(first["nginx"]), 2)
        self.assertAlmostEqual(table.copied(first["nginx+libra"]), 2 * 1002 / (2 * size + 1000))
        seen = result(text=LAZY)
        seen["probes"][0]["strace"].update(
            bytes=10 * size, copied={"in": 10 * (size + 400), "out": 10 * (size + 600)})
        table = rows.Table(seen)
        lazy = next(row for row in table.of_group("sizes") if row.system.name == "nginx+lazy")
        self.assertAlmostEqual(table.copied(lazy), 2 * (4 * 4096 + 1000) / (2 * size + 1000))
        self.assertAlmostEqual(table.lazy_share(lazy, "lazy_rx", "in"),
                               (size - 4096) / (size + 400))

    def test_copied(self):
        table = rows.Table(result())
        first = {row.system.name: row for row in table.of_group("sizes")[:3]}
        self.assertEqual(table.copied(first["nginx"]), 2)
        self.assertAlmostEqual(table.copied(first["nginx+libra"]), 200 / (100 * 16384))
        self.assertIsNone(table.copied(first["direct"]))


class Lazy(unittest.TestCase):
    def setUp(self):
        self.result = result(text=LAZY)
        self.rows = {row.system.name: row for row in rows.Table(self.result).of_group("sizes")
                     if row.point.size == 16 << 10}

    def test_copied(self):
        """A page that was not kept, two that were not sent so, one that was filled."""
        table = rows.Table(self.result)
        self.assertAlmostEqual(table.copied(self.rows["nginx+lazy"]), 4 * 4096 / (16 << 10))
        self.assertEqual(table.copied(self.rows["nginx"]), 2)
        self.assertIsNone(table.copied(self.rows["nginx-lazy-beside"]))    # no probe of it

    def test_against_both(self):
        text = report.text(self.result)
        line = next(line for line in text.splitlines()
                    if "download 64K" in line and "nginx+lazy | nginx+malloc" in line)
        self.assertIn("2.00 (2.00…2.00)×", line)
        line = next(line for line in text.splitlines()
                    if "download 64K" in line and "| nginx+lazy | 100" in line)
        self.assertIn("2.50 (2.50…2.50)×", line)
        self.assertIn("| download 16K | 4 | nginx+lazy | 75.0% | 50.0% | 1.00 | 0.00 | 0.50 |",
                      text)

    def test_check(self):
        check.require(self.result)
        for name, count in (("nginx+lazy", 1), ("nginx-lazy-beside", 0)):
            bad = copy.deepcopy(self.result)
            for sample_of in bad["samples"]:
                if sample_of["system"] == name:
                    sample_of["proxy"]["libra"] = {}
            found = list(check.problems(bad))
            self.assertEqual(bool(found), bool(count), found)
            self.assertTrue(all("payload memory" in line for line in found))


    def test_memory(self):
        """The most of processes and anchors together, in those rounds that looked."""
        table = rows.Table(self.result)
        lazy = self.rows["nginx+lazy"]
        self.assertEqual(lazy.values("loaded"), {0: 15000000})
        self.assertEqual(lazy.values("idle"), {0: 12000000})
        self.assertEqual(lazy.ratio("loaded", table.baseline(lazy)).median, 1.5)
        text = report.text(self.result)
        self.assertIn("| download 16K | 4 | nginx+lazy | 15.00 | 1.50× | 11.00 | 4.00 | 0.50 "
                      "| 12.00 | 1.20× | 1.00 |", text)
        self.assertIn("2.5 s after the load's end", text)
        for sample_of in self.result["samples"]:
            sample_of.pop("memory", None)       # as older results are
        self.assertNotIn("Memory held", report.text(self.result))

    def test_touched(self):
        """Who reads all payload leaves none of it in the kernel, and need not."""
        for name, kept in (("nginx-tls+lazy", True), ("nginx-default+lazy", False)):
            read = {"system": name, "point": {"size": 1 << 20, "shape": "download"},
                    "client": {"bytes": 1 << 20}, "proxy": {}}
            self.assertEqual(check.not_kept(read) is None, kept)

    def test_reads_all(self):
        """HAProxy is let off up to 64 KB and with chunks, whatever the counters say."""
        for name, size, shape, good in (
                ("haproxy+lazy", 64 << 10, "download", True),
                ("haproxy+lazy", 256 << 10, "download", False),
                ("haproxy+lazy", 1 << 20, "chunked", True),
                ("haproxy-default+lazy", 1 << 20, "upload", False),
                ("nginx+lazy", 64 << 10, "chunked", False)):
            read = {"system": name, "point": {"size": size, "shape": shape},
                    "client": {"bytes": size}, "proxy": {"libra": {"fallback_lazy_read": 9}}}
            self.assertEqual(check.not_kept(read) is None, good, name)

    def test_unfinished(self):
        """What a run that died came to can be read, and does not pass for a whole one."""
        dead = copy.deepcopy(self.result)
        dead["complete"] = False
        dead["samples"] = [s for s in dead["samples"]
                           if s["round"] == 0 and s["point"]["group"] == "sizes"]
        for name in ("settled", "probes", "verified"):
            dead[name] = None if name == "settled" else []
        text = report.text(dead)
        self.assertIn("**the run did not come to its end**", text)
        self.assertIn("rounds: sizes 1, rates 0", text)
        self.assertNotIn("did not come to its end", report.text(self.result))


class Targets(unittest.TestCase):
    def judge(self, low, median, high, rounds=10, **target):
        made = targets.Target("nginx+lazy", "nginx", "capacity", ("1M",), 2, **target)
        return made.verdict(stats.Estimate(median, low, high, rounds, rounds >= 6))

    def test_the_whole_interval_counts(self):
        self.assertEqual(self.judge(2, 2.5, 3), targets.MET)
        self.assertEqual(self.judge(2, 2.5, 3, rounds=5), targets.OPEN)
        self.assertEqual(self.judge(1.9, 2.5, 3), targets.OPEN)
        self.assertEqual(self.judge(1, 1.99, 3), targets.MISSED)
        self.assertEqual(self.judge(1, 1.5, 2, at_most=True), targets.MET)
        self.assertEqual(self.judge(1, 1.5, 2.1, at_most=True), targets.OPEN)
        self.assertEqual(self.judge(1, 2.01, 2.1, at_most=True), targets.MISSED)

    def test_in_the_report(self):
        text = report.text(result(text=LAZY))
        line = ("| nginx+lazy | nginx | capacity | download {} | 4 | ≥ {} "
                "| 2.500 (2.500…2.500) | {} |")
        self.assertIn(line.format("16K", "1.4", "open"), text)
        self.assertIn(line.format("64K", "2.8", "**missed**"), text)
        self.assertIn("| memory, loaded | download 1M | 4 | ≤ 1.25 | 1.500 | **missed** |", text)
        self.assertIn("| nginx-lazy-beside | nginx | capacity | download 1M | 4 | ≥ 0.98 | 1.000 "
                      "(1.000…1.000) | open |", text)
        self.assertNotIn("Targets", report.text(result()))

    def test_kernel_threads_count(self):
        """Only in the group that has windows long enough for them."""
        def judged(group):
            return [(target.bound, row.point.size, found.median) for target, row, found, _ in
                    targets.judged(rows.Table(result(text=LAZY.replace('"sizes"', group, 1))))
                    if target.metric == "capacity_kernel"]

        self.assertEqual(judged('"sizes"'), [])
        (first, small, ratio), (second, large, _) = judged('"tidy"')
        self.assertEqual((first, small, second, large), (2.8, 64 << 10, 12, 1 << 20))
        self.assertAlmostEqual(ratio, (110 + 5) / (44 + 20))

    def test_of_user_mode_linux(self):
        text = report.text(result("um", LAZY))
        self.assertIn("| nginx+lazy | nginx | capacity | download 1M | 4 | ≥ 3 | 2.500 "
                      "(2.500…2.500) | **missed** |", text)
        self.assertIn("| download 64K | 4 | ≥ 1.4 | 2.500 (2.500…2.500) | open |", text)
        self.assertNotIn("| memory, loaded |", text)
        self.assertIn("9 of 12 (each at each size) were not measured", text)

    def test_of_systems_that_there_are(self):
        for target in targets.TARGETS + targets.UM_TARGETS:
            self.assertIn(target.system, systems.NAMES)
            self.assertIn(target.against, systems.NAMES)
            self.assertIn(target.metric, rows.METRICS)
            self.assertIn(target.metric, report.MEASURES)


class Check(unittest.TestCase):
    def test_good(self):
        check.require(result())

    def test_bad(self):
        def change(bad, name):
            if name == "incomplete":
                bad["complete"] = False
            elif name == "missing":
                bad["samples"].pop()
            elif name == "errors":
                bad["samples"][0]["client"]["errors"] = 1
            elif name == "not about":
                bad["samples"][0]["client"]["bytes"] += 5 * 16384
            elif name == "compared":
                bad["verified"].pop(0)
            elif name == "not attached":
                for sample_of in bad["samples"]:
                    sample_of["proxy"]["libra"].pop("rx_anchored_bytes", None)
            elif name == "nobody looked":
                bad["settled"] = None
            elif name == "fail-stops":
                bad["settled"]["counters"]["fail_stops"] = 2
            elif name == "left behind":
                bad["settled"]["left"] = {"anchors_live": 1}

        for name, word in (("incomplete", "end"), ("missing", "missing"), ("errors", "errors"),
                           ("not about", "not about"), ("compared", "compared"),
                           ("not attached", "not attached"), ("nobody looked", "nobody looked"),
                           ("fail-stops", "fail-stops"), ("left behind", "left behind")):
            with self.subTest(name=name):
                bad = copy.deepcopy(result())
                change(bad, name)
                with self.assertRaisesRegex(BenchError, word):
                    check.require(bad)


class Eta(unittest.TestCase):
    def test_the_pace_so_far_counts(self):
        now = [0.0]

        class Nowhere:
            def write(self, _):
                pass

            def flush(self):
                pass

        steps = progress.Progress(100, Nowhere(), lambda: now[0])
        self.assertEqual(steps.eta(), 100)
        now[0] = 50
        steps.step(25, "")
        self.assertEqual(steps.eta(), 150)
        self.assertEqual(progress.clock(3725), "1:02:05")


if __name__ == "__main__":
    unittest.main()
