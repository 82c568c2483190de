"""What the end-to-end tests of the program `glovebox` share: private directories, a daemon of their own, its end.

Usage of a test: cli_x_test.py BIN [unittest options]; BIN holds glovebox, gloveboxd and glovebox-worker.
"""
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

PATIENCE_S = 60  # for what must happen at all; nothing passes or fails by how long it takes
BUSYBOX = "/bin/busybox"
BIN = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None


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
    """A user's directories, in a short path (sockets), and everything that runs in them."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="gb", dir="/tmp"))
        for name in ("run", "state", "files"):
            (self.path / name).mkdir(mode=0o700)
        self.files = self.path / "files"
        self.socket = self.path / "run/glovebox/gloveboxd.sock"
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.path), "LANG": "C.UTF-8",
                            "XDG_RUNTIME_DIR": str(self.path / "run"), "XDG_STATE_HOME": str(self.path / "state")}

    def close(self):
        pid = peer_pid(self.socket)
        if pid:
            end_process(pid)
        shutil.rmtree(self.path)

    def file(self, name, content, mode=0o644):
        path = self.files / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def start(self, *words, **options):
        return subprocess.Popen([str(BIN / "glovebox"), *words], env=self.environment, cwd=self.files, **options)

    def call(self, *words, stdin=subprocess.DEVNULL, data=None, **options):
        """Runs to the end; stdout and stderr are captured, as bytes."""
        if data is not None:
            options["input"] = data
        else:
            options["stdin"] = stdin
        return subprocess.run([str(BIN / "glovebox"), *words], env=self.environment, cwd=self.files, check=False,
                              capture_output=True, timeout=PATIENCE_S, **options)


class CliTest(unittest.TestCase):
    """Tests that share one home and one daemon."""

    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.addClassCleanup(cls.home.close)

    def run_cli(self, *words, **options):
        return self.home.call(*words, **options)

    def run_box(self, *words, **options):
        return self.home.call("run", *words, **options)

    def run_script(self, script, *options, **more):
        return self.home.call("run", *options, "--", BUSYBOX, "sh", "-c", script, **more)

    def assert_ends(self, done, status, stdout=None, stderr=None):
        """stdout: bytes, or None for any; stderr: bytes, or a tuple of texts that it has to contain."""
        report = f"status {done.returncode}\nstdout {done.stdout[-2000:]!r}\nstderr {done.stderr[-2000:]!r}"
        self.assertEqual(done.returncode, status, report)
        if stdout is not None:
            self.assertEqual(done.stdout, stdout, report)
        if isinstance(stderr, tuple):
            for text in stderr:
                self.assertIn(text, done.stderr.decode(), report)
        elif stderr is not None:
            self.assertEqual(done.stderr, stderr, report)

    def json_of(self, *words):
        done = self.run_cli(*words, "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def read_line(self, stream):
        """A line of an unbuffered pipe, or what came until its end."""
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([stream], [], [], PATIENCE_S)
            self.assertTrue(ready, f"nothing more came after {line!r}")
            byte = os.read(stream.fileno(), 1)
            if not byte:
                break
            line += byte
        return line

    def newest_job(self):
        return self.run_cli("job", "ls", "--ids", "-n", "1").stdout.decode().strip()


def main():
    if BIN is None or not (BIN / "glovebox").exists():
        sys.exit("usage: a test of the CLI needs the directory of its programs")
    unittest.main(verbosity=2)
