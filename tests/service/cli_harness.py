"""What the end-to-end tests of the program `glovebox` share: private directories, a daemon of their own, its end.

Usage of a test: cli_x_test.py BIN [unittest options]; BIN holds glovebox, gloveboxd and glovebox-worker.
"""
import json
import os
import pathlib
import select
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import private_home  # noqa: E402  the line above makes it importable
from private_home import PATIENCE_S, end_process, peer_pid  # noqa: E402,F401  tests use them from here

BUSYBOX = "/bin/busybox"
BIN = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None


class Home(private_home.Home):
    def __init__(self):
        super().__init__(BIN)


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
