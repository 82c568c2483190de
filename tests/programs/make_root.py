"""Makes a Debian 12 root file system of roots.txt below the user's cache directory, and prints where it is.

usage: make_root.py small|full

A root is made once for a list of packages: mmdebstrap downloads, unpacks and configures them. Needs root and a network
the first time. The packages come from the sources of this machine; nothing of the machine itself gets into the root.
"""
import hashlib
import os
import pathlib
import shutil
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SUITE = "bookworm"
# Before engine/linux/world.h's start_time, so that nothing in the root is of the guest's future.
NEWEST_S = 1767139200
# What no program of the tests reads.
EXCLUDED = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*"]
HOOKS = "/usr/share/mmdebstrap/hooks/merged-usr"
# Alternatives of a JDK name their pages.
MAN = 'mkdir -p "$1/usr/share/man/man1"'
# A cluster made at installation would have the machine's random identifiers; the case makes its own.
NO_CLUSTER = ('mkdir -p "$1/etc/postgresql-common" && '
              'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"')


def packages(root):
    """The packages of a root, those of the roots that it includes among them."""
    sections, current = {}, None
    for line in (HERE / "roots.txt").read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        elif line:
            current.append(line)
    names = []
    for name in sections[root]:
        names += packages(name.split()[1]) if name.startswith("include ") else [name]
    return sorted(set(names))


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "glovebox" / "roots"


def location(root):
    """Where the root is, once it was made."""
    version = hashlib.sha256((SUITE + " ".join(packages(root)) + " ".join(EXCLUDED)).encode()).hexdigest()[:12]
    return cache() / f"{root}-{version}"


def settle(directory):
    """Removes what only apt needs, and takes every time back that lies in the guest's future."""
    for scrap in ["var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/debconf"]:
        shutil.rmtree(directory / scrap, ignore_errors=True)
        (directory / scrap).mkdir(parents=True)
    for ours in ["etc/hostname", "etc/resolv.conf"]:  # copies of this machine's
        (directory / ours).unlink(missing_ok=True)
    for folder, folders, files in os.walk(directory, topdown=False):
        for name in files + folders:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if status.st_mtime > NEWEST_S:
                if name.endswith(".pyc"):
                    settle_bytecode(path, status)
                os.utime(path, (NEWEST_S, NEWEST_S), follow_symlinks=False)
    os.utime(directory, (NEWEST_S, NEWEST_S))


def settle_bytecode(path, status):
    """Bytecode names the time of its source (PEP 552), which may have been taken back."""
    with open(path, "r+b") as file:
        head = file.read(12)
        flags, time = struct.unpack("<II", head[4:12])
        if flags == 0 and time > NEWEST_S:
            file.seek(8)
            file.write(struct.pack("<I", NEWEST_S))
    os.chmod(path, status.st_mode & 0o7777)


def make(root):
    """Returns the root's directory, after making it where it is not there."""
    target = location(root)
    if target.is_dir():
        return target
    print(f"make_root: making {root} ({len(packages(root))} packages and what they need) below {cache()}", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f"new.{os.getpid()}.{target.name}")
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=essential", f"--hook-dir={HOOKS}",
               "--aptopt=APT::Install-Recommends \"false\"", f"--essential-hook={MAN}", f"--essential-hook={NO_CLUSTER}",
               *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
               "--include=" + ",".join(packages(root)), SUITE, str(scratch)]
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        settle(scratch)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("small", "full"):
        print(__doc__, file=sys.stderr)
        return 64
    if os.geteuid() != 0 and not location(sys.argv[1]).is_dir():
        print("make_root: making a root file system needs root", file=sys.stderr)
        return 77
    print(make(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
