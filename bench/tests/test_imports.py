# SPDX-License-Identifier: GPL-2.0-only
"""What imports what in the runner."""

import ast
import graphlib
import pathlib
import unittest

import libra_bench

FOLDER = pathlib.Path(libra_bench.__file__).parent


def imported(path):
    """Modules beside it, also those that only a function of it imports."""
    beside = {other.stem for other in FOLDER.glob("*.py")}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from beside.intersection(names)


class Imports(unittest.TestCase):
    def test_do_not_go_in_circles(self):
        graph = {path.stem: set(imported(path)) for path in FOLDER.glob("*.py")}
        self.assertIn("rows", graph["report"])  # or this test sees nothing
        graphlib.TopologicalSorter(graph).prepare()


if __name__ == "__main__":
    unittest.main()
