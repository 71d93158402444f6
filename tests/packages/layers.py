# SPDX-License-Identifier: GPL-2.0-only
"""A throw-away Debian: layers of an overlay in a mount namespace of our own.

The lower ones, a new machine and what the packages depend on, are dear to make and are kept
in the cache, named after what is in them. What the test does goes to the uppermost, which
nobody keeps.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# An initramfs for a machine that never boots would be most of what its kernels take to install.
ENVIRONMENT = (f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
               "INITRD=No")
INIT_PACKAGES = "systemd,systemd-sysv,udev,kmod,ca-certificates"


class Failed(Exception):
    """A command that ended badly, with what it said."""


def run(*command, log=None, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}\n")
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[-40:])
        raise Failed(f"'{' '.join(command)}' ended with {done.returncode}:\n{said}")
    return done.stdout


def own_mounts(parser):
    """The program begins anew in a mount namespace: whatever happens, what it mounts goes with that."""
    if os.geteuid() != 0:
        parser.error("it mounts, and installs packages: run it as root")
    if "LIBRA_OWN_MOUNTS" not in os.environ:
        os.environ["LIBRA_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *sys.orig_argv])


class Machine:
    """The layers, the topmost first, as one file system at self.root."""

    def __init__(self, folder, layers, log):
        self.root = os.path.join(folder, "root")
        self.upper = os.path.join(folder, "upper")
        self.layers = layers
        self.log = log
        work = os.path.join(folder, "work")
        for each in (self.root, self.upper, work):
            os.makedirs(each)
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={':'.join(layers)},upperdir={self.upper},workdir={work}", self.root)
        run("mount", "--rbind", "/dev", self.path("/dev"))

    def path(self, inside):
        return os.path.join(self.root, inside.lstrip("/"))

    def run(self, *command):
        """In the machine, with process numbers of its own; what it leaves behind ends with it."""
        return run("unshare", "--pid", "--fork", "--kill-child", "--mount",
                   f"--mount-proc={self.path('/proc')}", "chroot", self.root, "env", "-i",
                   *ENVIRONMENT, *command, log=self.log)

    def apt_get(self, *arguments):
        return self.run("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *arguments)

    def paths(self):
        """All there is, but for what a running apt and dpkg keep for themselves."""
        theirs = ("/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/", "/var/log/", "/tmp/",
                  "/dev/", "/proc/", "/sys/", "/run/")
        found = set()
        for folder, folders, files in os.walk(self.root):
            inside = "/" + os.path.relpath(folder, self.root)
            found.update(os.path.normpath(os.path.join(inside, name)) for name in folders + files)
            folders[:] = [name for name in folders
                          if not (os.path.normpath(os.path.join(inside, name)) + "/").startswith(theirs)]
        return {path for path in found if not path.startswith(theirs)}

    def close(self):
        run("umount", "--recursive", "--lazy", self.root)


@contextlib.contextmanager
def machine(folder, layers, log):
    made = Machine(folder, layers, log)
    try:
        yield made
    finally:
        made.close()


def cached(cache, name, what, fill):
    """The folder of this name in the cache, named after `what` as well; fill(folder) makes it."""
    folder = os.path.join(cache, f"{name}-{hashlib.sha256(what.encode()).hexdigest()[:12]}")
    if not os.path.isdir(folder):
        unfinished = f"{folder}.tmp"
        shutil.rmtree(unfinished, ignore_errors=True)
        os.makedirs(unfinished)
        fill(unfinished)
        os.rename(unfinished, folder)
    return folder


def mirrors(codename):
    """Lines of a sources.list, from where this machine itself has its packages."""
    lines = []
    policy = run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)",
                 "Created-By: Packages")
    for line in sorted(set(policy.splitlines())):
        site, suite, component = line.split()
        if component == "main" and suite in (codename, f"{codename}-updates", f"{codename}-security"):
            lines.append(f"deb {site} {suite} main")
    return lines


def new_machine(cache, codename, log):
    """A root file system as debootstrap makes it, with an init and the release's lists."""
    sources = mirrors(codename)
    main = next(line.split()[1] for line in sources if line.split()[2] == codename)

    def fill(folder):
        run("debootstrap", "--variant=minbase", f"--include={INIT_PACKAGES}", codename, folder, main,
            log=log)
        with open(os.path.join(folder, "etc/apt/sources.list"), "w", encoding="utf-8") as file:
            file.write("\n".join(sources) + "\n")
        shutil.copy("/etc/resolv.conf", os.path.join(folder, "etc/resolv.conf"))
        run("chroot", folder, "env", f"PATH={PATH}", "apt-get", "-q", "update", log=log)

    return cached(cache, "packages-new", "\n".join([INIT_PACKAGES, *sources]), fill)


def with_packages(cache, below, names, later, log):
    """A layer over `below` in which `names` are installed as dependencies, and where what it
    takes to install each of `later` lies ready."""

    def fill(folder):
        with machine(folder, [below], log) as made:
            made.apt_get("install", *names)
            made.run("apt-mark", "auto", *names)
            made.run("apt-get", "clean")
            for name in later:
                made.apt_get("install", "--download-only", name)

    return os.path.join(cached(cache, "packages-with", "\n".join([below, *names, *later]), fill), "upper")
