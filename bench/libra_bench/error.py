# SPDX-License-Identifier: GPL-2.0-only
"""The one error of the benchmark: a line for a person, with the mend."""


class BenchError(RuntimeError):
    pass
