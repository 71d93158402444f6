# SPDX-License-Identifier: GPL-2.0-only
"""What a guest said of its steps, as cases of a report."""

import re
import subprocess


def of_guest(report, log, command, before=""):
    """Run the command, scripts/vm and what it runs. It prints "ok - STEP" or "not ok - STEP" for
    each step, below it what there is to say in lines that begin with "#   ", and at its end "all
    told". All of it goes to the file log as well. before: of the names of the cases."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"guest: {done.returncode}\n{done.stdout}\n")
    for verdict, name, said in re.findall(r"^(ok|not ok) - (.*)\n((?:#   .*\n)*)", done.stdout, re.M):
        with report.case(f"{before}{name}") as case:
            case.check(verdict == "ok", said or done.stdout[-4000:])
    with report.case("the guest told all, and ended well") as case:
        case.equal(done.returncode, 0, f"{done.stdout[-2000:]}: status")
        case.check("all told" in done.stdout, done.stdout[-2000:])
