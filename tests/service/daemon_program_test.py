#!/usr/bin/env python3
"""The program gloveboxd: its flags, its lock, its signals, its end when idle.

usage: daemon_program_test.py BIN
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path(sys.argv.pop(1))


class DaemonProgram(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.scratch.name)
        self.running = []

    def tearDown(self):
        for process in self.running:
            process.kill()
            process.wait()
            process.stderr.close()
        self.scratch.cleanup()

    def start(self, *flags, socket="run/s", store="store"):
        process = subprocess.Popen(
            [BIN / "gloveboxd", "--socket", self.path / socket, "--store", self.path / store, *flags],
            stderr=subprocess.PIPE, text=True, cwd=self.path)
        self.running.append(process)
        return process

    def await_ready(self, process):
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "READY " in line:
                return lines
        self.fail("never ready: " + "".join(lines))

    def test_serves_and_ends_with_a_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = self.start()
            self.await_ready(daemon)
            self.assertTrue((self.path / "run/s").is_socket())
            daemon.send_signal(number)
            self.assertEqual(daemon.wait(timeout=30), 0)
            self.assertFalse((self.path / "run/s").exists())

    def test_two_daemons_on_one_store_are_impossible(self):
        first = self.start()
        self.await_ready(first)
        second = self.start(socket="run/other")
        self.assertEqual(second.wait(timeout=30), 1)
        message = second.stderr.read()
        self.assertIn("STORE_IN_USE", message)
        self.assertIn(f"pid {first.pid}", message)
        self.assertIsNone(first.poll())

    def test_a_daemon_takes_over_from_one_that_was_killed(self):
        first = self.start()
        self.await_ready(first)
        first.kill()
        first.wait()
        self.assertTrue((self.path / "run/s").is_socket())
        self.await_ready(self.start())

    def test_ends_when_idle(self):
        daemon = self.start("--idle-exit", "1")
        self.await_ready(daemon)
        self.assertEqual(daemon.wait(timeout=30), 0)

    def test_refuses_tcp(self):
        for address in ("127.0.0.1:7000", "tcp://host:1", "localhost:80"):
            result = subprocess.run([BIN / "gloveboxd", "--socket", address, "--store", self.path / "store"],
                                    capture_output=True, text=True, timeout=30)
            self.assertEqual(result.returncode, 1)
            self.assertIn("TCP_REFUSED", result.stderr)

    def test_says_what_is_wrong_with_a_flag(self):
        for flags, word in ((["--boxes", "0"], "boxes"), (["--log-level", "loud"], "LOG_LEVEL"),
                            (["--worker", "/nowhere"], "/nowhere")):
            daemon = self.start(*flags)
            self.assertNotEqual(daemon.wait(timeout=30), 0)
            self.assertIn(word, daemon.stderr.read())

    def test_json_lines_are_json(self):
        daemon = self.start("--log-format", "json")
        lines = self.await_ready(daemon)
        for line in lines:
            self.assertEqual(set(json.loads(line)) - {"job"}, {"time", "level", "message"})
        daemon.terminate()
        self.assertEqual(daemon.wait(timeout=30), 0)

    def test_tells_its_version_and_the_service_manager(self):
        said = subprocess.run([BIN / "gloveboxd", "--version"], capture_output=True, text=True, timeout=30)
        self.assertRegex(said.stdout, r"^gloveboxd \d+\.\d+\.\d+$")
        import socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(self.path / "notify"))
            manager.settimeout(30)
            os.environ["NOTIFY_SOCKET"] = str(self.path / "notify")
            try:
                self.start()
            finally:
                del os.environ["NOTIFY_SOCKET"]
            self.assertEqual(manager.recv(100), b"READY=1")


if __name__ == "__main__":
    unittest.main()
