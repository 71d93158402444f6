# SPDX-License-Identifier: GPL-2.0-only
"""Several runs become one result: nothing twice, nothing half."""

import copy
import unittest

import test_report
from libra_bench import join, report
from libra_bench.error import BenchError


def result():
    return {"commands": {}, "configs": {}, "began": 1, "options": {},
            **copy.deepcopy(test_report.result())}


def part(groups):
    """A run of these groups alone, as test_report.py has them."""
    made = result()
    made["matrix"] = [group for group in made["matrix"] if group["name"] in groups]
    made["samples"] = [s for s in made["samples"] if s["point"]["group"] in groups]
    return made


class Joining(unittest.TestCase):
    def test_one_is_itself(self):
        whole = result()
        joined = join.join([("a", whole)])
        self.assertEqual(joined["samples"], whole["samples"])
        self.assertEqual(joined["matrix"], whole["matrix"])
        self.assertEqual(joined["left_out"], [])

    def test_a_group_counts_once(self):
        whole = result()
        other = copy.deepcopy(whole)
        for sample in other["samples"]:
            sample["client"]["rate"] *= 2
        joined = join.join([("a", whole), ("b", other)])
        self.assertEqual(joined["samples"], whole["samples"])
        self.assertEqual(len(joined["joined"]), 2)

    def test_parts_of_a_group(self):
        whole = result()
        group = next(g for g in whole["matrix"] if len(g["points"]) > 1)

        def only(points):
            made = copy.deepcopy(whole)
            made["matrix"] = [{**group, "points": points}]
            made["samples"] = [s for s in whole["samples"] if s["point"] in points]
            return made
        first, rest = only(group["points"][:1]), only(group["points"][1:])
        joined = join.join([("a", first), ("b", rest), ("c", first)])
        self.assertEqual(joined["matrix"], [group])
        self.assertEqual(len(joined["samples"]),
                         len([s for s in whole["samples"] if s["point"]["group"] == group["name"]]))
        self.assertEqual(joined["left_out"], [])
        # With other systems it is no part of the same table.
        rest["matrix"][0]["systems"] = group["systems"][:1]
        joined = join.join([("a", first), ("b", rest)])
        self.assertEqual(joined["matrix"][0]["points"], group["points"][:1])

    def test_rounds_of_a_run_that_died(self):
        cut = result()
        lost = cut["samples"].pop()
        cut.update(complete=False, settled=None)
        joined = join.join([("a", cut)])
        self.assertEqual(joined["fewer_rounds"], {"rates": [1, 2]})
        self.assertEqual([s["round"] for s in joined["samples"]
                          if s["point"]["group"] == "rates"], [0, 0])
        self.assertEqual(joined["left_out"], [])
        self.assertEqual(lost["round"], 1)
        text = report.text(joined)
        self.assertIn("rates: 1 rounds, not 2", text)
        self.assertIn("nobody looked", text)

    def test_what_is_not_whole_is_left_out_and_named(self):
        cut = result()
        lost = next(s for s in cut["samples"] if s["round"] == 0 and s["system"] == "nginx+libra")
        cut["samples"].remove(lost)
        cut["complete"] = False
        joined = join.join([("a", cut)])
        self.assertIn(lost["point"], joined["left_out"])
        self.assertNotIn(lost["point"], [s["point"] for s in joined["samples"]])
        self.assertIn("left out", report.text(joined))

    def test_the_next_run_has_what_the_first_has_not(self):
        whole = result()
        names = [group["name"] for group in whole["matrix"]]
        parts = [(name, part([name])) for name in names]
        self.assertEqual(len(join.join(parts)["samples"]), len(whole["samples"]))

    def test_another_machine(self):
        other = result()
        other["configuration"]["kernel_name"] = "patched"
        with self.assertRaisesRegex(BenchError, "b: 'kernel_name'"):
            join.join([("a", result()), ("b", other)])


if __name__ == "__main__":
    unittest.main()
