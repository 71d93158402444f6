# SPDX-License-Identifier: GPL-2.0-only
"""The packages as files: built, found, and as if they were of an earlier version."""

import glob
import os
import shutil
import tempfile

import layers

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "libra")
NAMES = ("libra", "libra-dev", "libra-dkms")


def build(folder, log, ccache=True):
    """Paths of the packages, by name. A compiler cache knows again what lies where it lay."""
    env = dict(os.environ)
    if ccache:
        env.update(PATH="/usr/lib/ccache:" + env["PATH"], CCACHE_DIR=os.path.join(CACHE, "ccache"))
    layers.run(os.path.join(TOP, "scripts/build-packages"), "--out", folder, log=log, env=env)
    return by_name(folder)


def by_name(folder):
    return {os.path.basename(path).split("_")[0]: path
            for path in sorted(glob.glob(os.path.join(folder, "*.deb")))}


def older_of(package, folder):
    """The same as if it were of a version before it, without another build."""
    now = version(package)
    before = f"{now}~older"
    with tempfile.TemporaryDirectory(dir=folder) as root:
        layers.run("dpkg-deb", "--raw-extract", package, root)
        texts = [path for path in glob.glob(f"{root}/DEBIAN/*") if not path.endswith("/md5sums")]
        for source in glob.glob(f"{root}/usr/src/*-{now}"):
            os.rename(source, f"{source}~older")
            texts.append(f"{source}~older/dkms.conf")
        for path in texts:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(now, before))
        os.remove(f"{root}/DEBIAN/md5sums")
        made = os.path.join(folder, os.path.basename(package).replace(now, before))
        layers.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", root, made)
    return made


def version(package):
    return layers.run("dpkg-deb", "--field", package, "Version").strip()


def put(machine, packages):
    """Copies packages into the machine; returns their paths there, for apt."""
    folder = "/srv/packages"
    shutil.rmtree(machine.path(folder), ignore_errors=True)
    os.makedirs(machine.path(folder))
    for package in packages.values():
        shutil.copy(package, machine.path(folder))
    return sorted(f"{folder}/{os.path.basename(package)}" for package in packages.values())
