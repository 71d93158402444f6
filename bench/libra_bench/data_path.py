# SPDX-License-Identifier: GPL-2.0-only
"""Which code a figure is of, and whether that is still the one that ships.

A result has a fingerprint of the data path of each mode. Comments and space do not count, nor
do tests; everything else does, as nobody can tell beforehand what costs nothing.
"""

import glob
import hashlib
import os
import re
import tomllib

from . import ROOT, systems
from .error import BenchError

KERNEL = "kernel-patches/new/net/libra"
SHARED = (f"{KERNEL}/*.[ch]", "kernel-patches/new/include/**/*.h", "kernel-patches/hooks/*.patch",
          "kernel-patches/stock/**/*.[ch]")
MODES = {
    "token": (f"{KERNEL}/token/*.[ch]", "bpf/*.[ch]"),
    "lazy": (f"{KERNEL}/lazy/*.[ch]", "userspace/malloc/*.cpp", "userspace/malloc/*.h"),
}
# KUnit's, and the micro-benchmarks in the kernel.
NOT_OF_IT = re.compile(r"_test\.[ch]$|/bench\w*\.[ch]$|/example_\w+\.cpp$")
STANDS = "stands.toml"
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                               re.DOTALL)


def _essence(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if path.endswith(".patch"):
        text = "\n".join(line[1:] for line in text.splitlines() if re.match(r"[+-](?![+-]{2})", line))
    text = COMMENT_OR_STRING.sub(
        lambda match: " " if match.group().startswith("/") else match.group(), text)
    return " ".join(text.split())


def fingerprint(mode, top=ROOT):
    """Of what is in this tree."""
    paths = sorted({path for pattern in (*SHARED, *MODES[mode])
                    for path in glob.glob(pattern, root_dir=top, recursive=True)
                    if not NOT_OF_IT.search(path)})
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path}\0{_essence(os.path.join(top, path))}\0".encode())
    return whole.hexdigest()[:16]


def fingerprints(top=ROOT):
    return {mode: fingerprint(mode, top) for mode in MODES}


def modes(result):
    """Those that a result is of; the micro-benchmarks are of token mode's parts."""
    if "chunks" in result:
        return ["token"]
    measured = [systems.BY_NAME[name] for name in {s["system"] for s in result["samples"]}]
    return [mode for mode, is_of in (("token", lambda system: system.libra and not system.lazy),
                                     ("lazy", lambda system: system.lazy))
            if any(map(is_of, measured))]


def _stands(folder):
    """What whoever changed the data path said about the figures: {mode: {fingerprint, why}}."""
    try:
        with open(os.path.join(folder, STANDS), "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{os.path.join(folder, STANDS)}: {error}") from error


def since(result, folder, now=None):
    """[(mode, why)]: what changed since, and why the figures stand. Raises where they do not."""
    now = now or fingerprints()
    about = result.get("configuration", result)
    measured, source = about.get("data_path", {}), about.get("source", "an unknown commit")
    said = _stands(folder)
    changed, refused = [], []
    for mode in modes(result):
        stands = said.get(mode, {})
        if measured.get(mode) == now[mode]:
            continue
        if stands.get("fingerprint") == now[mode] and stands.get("why", "").strip():
            changed.append((mode, stands["why"].strip()))
        else:
            refused.append(f'    [{mode}]\n    fingerprint = "{now[mode]}"\n    why = "..."')
    if refused:
        raise BenchError(
            f"{folder}: measured at {source[:12]}, and the data path has changed since: measure "
            f"again, or say in {STANDS} there why the figures stand:\n\n" + "\n".join(refused))
    return changed
