"""Fetches Debian's static qemu-x86_64 below the user's cache directory, once, and prints where it is.

enter_root.py has the kernel execute programs by it. It is one itself, and is told apart by the last byte of e_ident, which
is padding (System V ABI, ELF header) that Linux does not look at.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import make_root

PACKAGE = "qemu-user-static"
MARK_AT, MARK = 15, 0x51


def make():
    """Returns the program's path."""
    target = make_root.cache().parent / "programs" / "qemu-x86_64"
    if target.is_file():
        return target
    print(f"make_qemu: fetching {PACKAGE}", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", PACKAGE], cwd=scratch, check=True)
        package, = pathlib.Path(scratch).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), f"{scratch}/files"], check=True)
        program = bytearray(pathlib.Path(scratch, "files/usr/bin/qemu-x86_64-static").read_bytes())
    program[MARK_AT] = MARK
    new = target.with_name(f"new.{os.getpid()}")
    new.write_bytes(program)
    new.chmod(0o755)
    new.rename(target)
    return target


if __name__ == "__main__":
    print(make())
