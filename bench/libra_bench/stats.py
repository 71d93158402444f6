# SPDX-License-Identifier: GPL-2.0-only
"""Medians with intervals, paired ratios, a fitted line. No assumption about distributions."""

import math
import statistics
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A median. Where the interval is not one of 95 %, it is the range of what was seen."""
    median: float
    low: float
    high: float
    count: int
    confident: bool

    def text(self, form="{:.4g}"):
        if self.count < 2:
            return form.format(self.median)
        left, right = "[]" if self.confident else "()"
        return (form + " {}" + form + "…" + form + "{}").format(
            self.median, left, self.low, self.high, right)


def rank_of_interval(count):
    """The r for which the r-th smallest and r-th largest value enclose the median with 95 %.

    Exact for any distribution: how many values fall below the median is binomial. None if
    even the range does not reach 95 %, which is so for fewer than 6 values.
    """
    best = None
    tail = 0.0
    for rank in range(1, count // 2 + 1):
        tail += math.comb(count, rank - 1) / 2 ** count
        if 1 - 2 * tail < CONFIDENCE:
            break
        best = rank
    return best


def estimate(values):
    """The median of the values, with its interval of order statistics."""
    ordered = sorted(values)
    rank = rank_of_interval(len(ordered))
    edge = rank or 1
    return Estimate(statistics.median(ordered), ordered[edge - 1], ordered[-edge], len(ordered),
                    rank is not None)


def ratio(by_round, baseline_by_round):
    """What was measured against its baseline of the same round; None without a common one.

    Paired, so that what slows both for a while does not count.
    """
    rounds = sorted(by_round.keys() & baseline_by_round.keys())
    pairs = [by_round[r] / baseline_by_round[r] for r in rounds if baseline_by_round[r]]
    return estimate(pairs) if pairs else None


def line(points):
    """Least squares through (x, y): (intercept, slope); None with less than two different x."""
    if len({x for x, _ in points}) < 2:
        return None
    slope, intercept = statistics.linear_regression(*zip(*points))
    return intercept, slope


def single(value):
    """What was measured once, or of all rounds together: it has no interval."""
    return Estimate(value, value, value, 1, False)


def merge_histograms(histograms):
    """[[upper, count], ...] of several runs as one, sorted."""
    merged = {}
    for histogram in histograms:
        for upper, count in histogram:
            merged[upper] = merged.get(upper, 0) + count
    return sorted(merged.items())


def percentile(histogram, share):
    """The upper edge of the bucket in which this share of the values is reached."""
    total = sum(count for _, count in histogram)
    seen = 0
    for upper, count in histogram:
        seen += count
        if seen >= share * total:
            return upper
    return None
