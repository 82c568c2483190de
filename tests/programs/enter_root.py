#!/usr/bin/env python3
"""Runs a command in a root and says what processor time it took: the end of program_cases.py's way into name spaces.

usage: enter_root.py FD ROOT QEMU ENVIRONMENT COMMAND...

This is process 1 of its name space. Once the command has ended, so does everything that it left behind, as in a box; the
processor time of all of them, in seconds, goes to the descriptor FD. The exit status is the command's. ENVIRONMENT is JSON.

QEMU, where it is not empty, is make_qemu.py's: in a user name space of its own (which maps every user to itself) that
program is what executes x86-64 ELF files (binfmt_misc(5); Linux 6.7 has one per user name space), so the command and all that
it executes run in qemu-user, and no other process of this machine does. 124: this kernel cannot.
"""
import ctypes
import json
import os
import pathlib
import resource
import signal
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000  # unshare(2)
UNABLE = 124
# ELF header: 64-bit, little-endian, version 1; e_ident's last byte 0, unlike that of make_qemu.py's program;
# ET_EXEC or ET_DYN; EM_X86_64.
MAGIC = b"\x7fELF\x02\x01\x01" + bytes(8) + b"\x00" + b"\x02\x00\x3e\x00"
MASK = b"\xff" * 7 + bytes(8) + b"\xff" + b"\xfe\xff\xff\xff"
libc = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def own_users(proc):
    """A user name space whose users and groups are those outside; a child that stays outside says so."""
    unshared, unshare_done = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        os.read(unshared, 1)
        for name in ("uid_map", "gid_map"):
            pathlib.Path(proc, str(parent), name).write_text("0 0 4294967295")
        os._exit(0)
    must(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
    os.write(unshare_done, b"x")
    if os.waitpid(child, 0)[1] != 0:
        raise OSError("uid_map: not writable")


def execute_by(qemu, proc, mount_point):
    """F: the file is opened now, outside the root; P: it is told argv[0]."""
    own_users(proc)
    must(libc.mount(b"none", mount_point.encode(), b"binfmt_misc", 0, None), "mount of binfmt_misc")
    escaped = ("".join(f"\\x{byte:02x}" for byte in bits) for bits in (MAGIC, MASK))
    pathlib.Path(mount_point, "register").write_text(f":qemu:M::{':'.join(escaped)}:{qemu}:FP")


def execute(root, environment, command):
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.chroot(root)
    os.chdir("/tmp")
    try:
        os.execvpe(command[0], command, environment)
    finally:
        os._exit(127)


def spent():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    descriptor, root, qemu, environment, *command = sys.argv[1:]
    os.set_inheritable(int(descriptor), False)
    if qemu:
        try:
            execute_by(qemu, root + "/proc", os.path.dirname(root) + "/binfmt")
        except OSError as error:
            print(f"enter_root: {error}", file=sys.stderr)
            return UNABLE
    before, child = spent(), os.fork()
    if child == 0:
        execute(root, json.loads(environment), command)
    ended = None
    while ended != child:
        ended, status = os.wait()
    try:
        os.kill(-1, signal.SIGKILL)
        while True:
            os.wait()
    except (ProcessLookupError, ChildProcessError):
        pass
    os.write(int(descriptor), f"{spent() - before:.6f}".encode())
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
