# SPDX-License-Identifier: GPL-2.0-only
"""Statistics, on values whose answers are known."""

import unittest

from libra_bench import stats


class Interval(unittest.TestCase):
    def test_ranks_are_those_of_the_binomial(self):
        # From tables of the sign test.
        self.assertEqual({n: stats.rank_of_interval(n) for n in (5, 6, 8, 9, 10, 12, 20)},
                         {5: None, 6: 1, 8: 1, 9: 2, 10: 2, 12: 3, 20: 6})

    def test_few_values_have_a_range_and_no_interval(self):
        found = stats.estimate([3, 1, 2])
        self.assertEqual((found.median, found.low, found.high), (2, 1, 3))
        self.assertFalse(found.confident)
        self.assertEqual(found.text(), "2 (1…3)")

    def test_ten_values_leave_out_the_extremes(self):
        found = stats.estimate([100, *range(2, 10), -100])
        self.assertEqual((found.low, found.high), (2, 9))
        self.assertTrue(found.confident)
        self.assertEqual(found.text(), "5.5 [2…9]")

    def test_one_value_is_itself(self):
        self.assertEqual(stats.estimate([4.0]).text(), "4")


class Ratio(unittest.TestCase):
    def test_pairs_are_of_the_same_round(self):
        found = stats.ratio({0: 20, 1: 200, 2: 7}, {0: 10, 1: 100})
        self.assertEqual((found.median, found.count), (2, 2))

    def test_no_common_round(self):
        self.assertIsNone(stats.ratio({0: 1}, {1: 1}))


class Fit(unittest.TestCase):
    def test_line(self):
        intercept, slope = stats.line([(1, 5), (2, 7), (3, 9)])
        self.assertAlmostEqual(intercept, 3)
        self.assertAlmostEqual(slope, 2)

    def test_one_size_has_no_slope(self):
        self.assertIsNone(stats.line([(1, 5), (1, 6)]))


class Histogram(unittest.TestCase):
    def test_merge_and_percentile(self):
        merged = stats.merge_histograms([[[1, 98], [5, 1]], [[2, 1]]])
        self.assertEqual(merged, [(1, 98), (2, 1), (5, 1)])
        self.assertEqual([stats.percentile(merged, p) for p in (0.5, 0.99, 1)], [1, 2, 5])


if __name__ == "__main__":
    unittest.main()
