# SPDX-License-Identifier: GPL-2.0-only
"""A differential table: what a proxy answers without Libra and with it, row by row.

A row is a directive. Its exchange is made through the same proxy plain and in
another way, and the answers have to be the same. Attached, with a policy in mode
token, a row that is known to be unsafe says so, and by which counters it is noticed:
it has to stay as bad as KNOWN_ISSUES.md says, so that neither can rot. Lazy, with
its buffers in payload memory and no policy, no row may be anything but the same.
"""

import contextlib
import dataclasses
import gzip
import os
import re
import subprocess
import time
import typing
import zlib

from . import lazy, libra
from .environment import ROOT
from .exchanges import gets
from .talk import Answer, Cut, Talk

SAME, ABORTED, WRONG = VERDICTS = "same bytes", "aborted", "wrong bytes"
BREAKS, CORRUPTS, EITHER = (ABORTED,), (WRONG,), (ABORTED, WRONG)
# One origin, which is told by its addresses who asks.
FIRST, SECOND = "127.0.1.1", "127.0.3.1"
PORT, TLS_PORT = 8001, 8443
FIRST_LISTENER = 8101
# Long enough for an answer that is under way, short enough to wait for.
TTL_MS = 500
# What a proxy answers when its connection to the origin is aborted.
GATEWAY_ERRORS = (502, 503, 504)
ATTACHED, LAZY = WAYS = "attached", "lazy"
# Bodies of which a proxy in payload memory has to leave some unread in the kernel.
LARGE_BODY = 64 << 10
# The smallest block in payload memory: one page, as nginx's default buffers are.
SMALLEST_BLOCK = 4096
# What a row may count without being about it.
USUAL = ("fallback_small", "fallback_flags")


@dataclasses.dataclass(frozen=True)
class Row:
    """config is the proxy's; what else it has to say about a row is in text, by place.

    outcomes: those there may be; several where memory that was not written, or a race, decides.
    moved: the counters that tell an operator. may: fail-stops that are no surprise.
    issue: its heading in KNOWN_ISSUES.md.
    proof: called with the plain proxy's answers and log, shows that the directive works.
    anchors: whether something has to be anchored; None: that is left to chance.
    truth: the plain proxy's answers are those of the origin.
    stored: a file that the proxy writes.
    lazy: whether something has to be lazy; None: if it is anchored, and there are large bodies."""
    name: str
    config: str = ""
    exchange: typing.Callable = gets
    outcomes: tuple = (SAME,)
    anchors: bool | None = True
    moved: tuple = ()
    may: tuple = ()
    issue: str = ""
    options: tuple = ()
    parser: str = "http1"
    proof: typing.Callable = None
    truth: bool = True
    text: dict = dataclasses.field(default_factory=dict)
    client: dict = dataclasses.field(default_factory=dict)
    stored: str = ""
    lazy: bool | None = None


def certificate(env):
    """A key and a certificate in one file, for any of the servers."""
    pem = env.path("test.pem")
    if not os.path.exists(pem):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=origin.test", "-keyout", pem + ".key", "-out", pem],
                       check=True, capture_output=True)
        with open(pem + ".key", encoding="ascii") as key, open(pem, "a", encoding="ascii") as out:
            out.write(key.read())
    return pem


def fill(template, defaults, placed, directory, pem):
    """The template for each row, with what the row says in its places."""
    out = []
    for row, port in placed:
        text = template
        for name, value in {**defaults, **row.text, "config": row.config}.items():
            text = text.replace(f"@{name}@", value)
        for name, value in {"port": port, "dir": directory, "pem": pem,
                            "first": f"{FIRST}:{PORT}", "first_tls": f"{FIRST}:{TLS_PORT}",
                            "second": f"{SECOND}:{PORT}"}.items():
            text = text.replace(f"@{name}@", str(value))
        out.append(text)
    return "\n".join(out)


def known_issues():
    """The sections of KNOWN_ISSUES.md by their headings."""
    with open(os.path.join(ROOT, "KNOWN_ISSUES.md"), encoding="utf-8") as file:
        parts = re.split(r"^### (.*)$", file.read(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def fields_of(answers, name):
    """A header field of each answer that has one."""
    return [answer.came[1][name] for answer in answers
            if not isinstance(answer.came, Cut) and name in answer.came[1]]


# These differ from one second to the next.
TIMES = ("age", "last-modified", "etag")


def _essence(came):
    status, fields, data = came
    if fields.get("content-encoding") == "gzip":
        # What a compressor makes of the same bytes depends on how they arrive.
        with contextlib.suppress(OSError, EOFError, zlib.error):
            data = gzip.decompress(data)
    return status, {name: value for name, value in fields.items() if name not in TIMES}, data


def _compare(plain, attached):
    """One answer's verdict, and what there is to say."""
    if isinstance(attached.came, Cut):
        if isinstance(plain.came, Cut):
            return SAME, ""
        if plain.came[2].startswith(attached.came.received):
            return ABORTED, f"{attached.asked}: {attached.came.why} after " \
                            f"{len(attached.came.received)} bytes"
        return WRONG, f"{attached.asked}: wrong bytes before {attached.came.why}"
    if attached.came[0] in GATEWAY_ERRORS and not isinstance(plain.came, Cut) and \
            plain.came[0] not in GATEWAY_ERRORS:
        return ABORTED, f"{attached.asked}: status {attached.came[0]}"
    if isinstance(plain.came, Cut) or _essence(plain.came) != _essence(attached.came):
        what = [name for name, one, other in
                zip(("status", "fields", "body"), plain.came, attached.came) if one != other] \
            if not isinstance(plain.came, Cut) else ["end"]
        return WRONG, f"{attached.asked}: another {', '.join(what)}"
    return SAME, ""


def verdict(plain, attached):
    """The worst of all answers, and the first that was so bad."""
    return max((_compare(*pair) for pair in zip(plain, attached)),
               key=lambda found: VERDICTS.index(found[0]), default=(SAME, "no answers"))


class Matrix:
    """Runs rows through one process of a proxy, and another way through a second one."""

    def __init__(self, env, tap, program, way=ATTACHED):
        self.env = env
        self.way = way
        self.tap = tap
        self.program = program
        self.issues = known_issues()
        self.groups = 0

    def run(self, rows, start):
        """start(directory, [(row, listener's port)], environment) starts the proxy for all."""
        wanted = getattr(self.env.args, "only_row", "")
        placed = [(row, FIRST_LISTENER + at) for at, row in enumerate(rows) if wanted in row.name]
        if not placed:
            return
        self.groups += 1
        plain = {}
        directory = self.env.path(f"{self.program}-{self.groups}")
        with start(f"{directory}-plain", placed, None) as process:
            for row, port in placed:
                with self.tap.case(f"{self.program}, plain: {row.name}") as case:
                    plain[row.name] = self._plain(case, row, port, process)
                    plain[row.name] += self._stored(row, f"{directory}-plain", port)
        if not self.env.with_libra:
            return
        if self.way == LAZY:
            self._run_lazy(placed, plain, f"{directory}-lazy", start)
        else:
            self._run_attached(placed, plain, directory, start)

    def _run_lazy(self, placed, plain, directory, start):
        with lazy.always(self.env), \
                start(directory, placed, self.env.preload(SMALLEST_BLOCK)) as process:
            for row, port in placed:
                with self.tap.case(f"{self.program}, lazy: {row.name}") as case:
                    self._lazy(case, row, port, plain.get(row.name, []), directory)
                    case.check(process.alive(), "the proxy died")
        with self.tap.case(f"{self.program}, lazy: nothing is left of it") as case:
            case.equal(lazy.settle(), {}, "left behind")

    def _run_attached(self, placed, plain, directory, start):
        # Smaller than the default, so that small buffers are as telling as large ones.
        with libra.sysctl("min_anchor", 2048), \
                start(f"{directory}-attached", placed, None) as process:
            for row, port in placed:
                with self.tap.case(f"{self.program}, attached: {row.name}") as case:
                    self._attached(case, row, port, plain.get(row.name, []),
                                   f"{directory}-attached")
                    case.check(process.alive(), "the proxy died")

    def _answers(self, row, port):
        with Talk(f"127.0.0.1:{port}", **row.client) as talk:
            row.exchange(talk)
        return talk.answers

    @staticmethod
    def _stored(row, directory, port):
        """What a row's proxy wrote, as one more answer."""
        if not row.stored:
            return []
        path = row.stored.replace("@port@", str(port))
        # A client may have its answer before the proxy wrote its last word about it.
        data, size = b"", -1
        while size != len(data):
            size = len(data)
            time.sleep(0.3)
            with open(os.path.join(directory, path), "rb") as file:
                data = file.read()
        return [Answer(f"the file {path}", b"", (0, {}, data))]

    def _plain(self, case, row, port, process):
        answers = self._answers(row, port)
        for answer in answers:
            if isinstance(answer.came, Cut):
                case.check(False, f"{answer.asked}: {answer.came.why}")
            elif row.truth:
                case.check(answer.came[2] == answer.truth,
                           f"{answer.asked}: not the origin's body, status {answer.came[0]}")
        if row.proof:
            with open(process.log, encoding="utf-8", errors="replace") as log:
                case.check(row.proof(answers, log.read()), "the directive did nothing")
        return answers

    def _lazy(self, case, row, port, plain, directory):
        before = self.env.counters()
        answers = self._answers(row, port) + self._stored(row, directory, port)
        moved = lazy.moved(before, self.env.counters())
        outcome, why = verdict(plain, answers)
        print(f"# {self.program} | {row.name} | {outcome} | " + ", ".join(
            f"{name} {moved.get(name, 0)}" for name in (
                "lazy_rx_bytes", "lazy_tx_bytes", "lazy_fills_user", "lazy_fills_kernel")) +
            f" | {why}", flush=True)
        case.check(len(plain) == len(answers), "answers are missing")
        case.check(outcome == SAME, f"{outcome} ({why})")
        wanted = row.lazy
        if wanted is None:
            wanted = row.anchors and any(len(answer.truth) >= LARGE_BODY for answer in answers)
        if wanted:
            case.check(moved.get("lazy_rx_bytes"), "nothing was lazy: it proves nothing")

    def _attached(self, case, row, port, plain, directory):
        before = self.env.counters()
        options = (*row.options, "--upstream", f"{SECOND}:{PORT}",
                   "--upstream", f"{FIRST}:{TLS_PORT}")
        with self.env.daemon.policy(f"127.0.0.1:{port}", f"{FIRST}:{PORT}", port, "token",
                                    options, row.parser):
            attached = self._answers(row, port)
        left = self._let_expire() if row.moved else {}
        attached += self._stored(row, directory, port)
        now = self.env.counters()
        moved = {name: now[name] - value for name, value in before.items()
                 if name not in libra.GAUGES and now[name] != value}
        told = {name: value for name, value in moved.items() if name not in USUAL and
                name.startswith(("fail_stop_", "fallback_", "anchors_expired"))}
        outcome, why = verdict(plain, attached)
        anchored = moved.get("rx_anchored_bytes", 0)
        print(f"# {self.program} | {row.name} | {outcome} | anchored {anchored} | "
              f"{', '.join(f'{name} {value}' for name, value in sorted(told.items())) or '-'} | "
              f"{why}", flush=True)

        case.check(len(plain) == len(attached), "answers are missing")
        case.check(outcome in row.outcomes,
                   f"{outcome} ({why}), expected {' or '.join(row.outcomes)}")
        case.check(row.anchors in (None, bool(anchored)),
                   f"{anchored} bytes were anchored, {'some' if row.anchors else 'none'} expected")
        stops = {name for name in told if name.startswith("fail_stop_")}
        case.check(stops <= {*row.moved, *row.may}, f"fail-stops: {stops}")
        for name in row.moved:
            case.check(moved.get(name), f"{name} did not move")
        case.equal(left, {}, "anchors that do not expire")
        if row.issue:
            section = self.issues.get(row.issue, "")
            case.check(section, f"KNOWN_ISSUES.md has no section {row.issue!r}")
            for name in (*row.moved, *row.may):
                case.check(name in section,
                           f"KNOWN_ISSUES.md does not name {name} under {row.issue!r}")
        else:
            case.check(row.outcomes == (SAME,), "what is not safe needs its known issue")

    @staticmethod
    def _let_expire():
        """What was lost counts as lost only when its time is over."""
        with libra.sysctl("anchor_ttl_ms", TTL_MS):
            return libra.wait_idle(10, libra.ANCHOR_GAUGES)

