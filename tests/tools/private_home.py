"""A private home for whoever drives the program `glovebox`: its own directories, its own embedded daemon, its end."""
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

PATIENCE_S = 60  # for what must happen at all; nothing passes or fails by how long it takes


def peer_pid(path):
    """Process that serves a unix socket, or None."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return None
        return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def end_process(pid):
    """SIGTERM, and SIGKILL where that does not do; returns once the process has gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(descriptor, number)
            if select.select([descriptor], [], [], 20)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


class Home:
    """A user's directories, in a short path (sockets), and everything that runs in them.

    binaries: the directory of glovebox, gloveboxd and glovebox-worker.
    """

    def __init__(self, binaries):
        self.binaries = pathlib.Path(binaries)
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="gb", dir="/tmp"))
        for name in ("run", "state", "files"):
            (self.path / name).mkdir(mode=0o700)
        self.files = self.path / "files"
        self.socket = self.path / "run/glovebox/gloveboxd.sock"
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.path), "LANG": "C.UTF-8",
                            "XDG_RUNTIME_DIR": str(self.path / "run"), "XDG_STATE_HOME": str(self.path / "state")}

    def close(self):
        pid = self.daemon_pid()
        if pid:
            end_process(pid)
        shutil.rmtree(self.path)

    def file(self, name, content, mode=0o644):
        path = self.files / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def daemon_pid(self):
        """Process of the embedded daemon, or None."""
        return peer_pid(self.socket)

    def start(self, *words, **options):
        return subprocess.Popen([str(self.binaries / "glovebox"), *words], env=self.environment, cwd=self.files, **options)

    def call(self, *words, stdin=subprocess.DEVNULL, data=None, **options):
        """Runs to the end; stdout and stderr are captured, as bytes."""
        if data is not None:
            options["input"] = data
        else:
            options["stdin"] = stdin
        return subprocess.run([str(self.binaries / "glovebox"), *words], env=self.environment, cwd=self.files, check=False,
                              capture_output=True, timeout=options.pop("timeout", PATIENCE_S), **options)
