#!/usr/bin/env python3
"""The private daemon that `glovebox` starts by itself: one for all clients, replaced when it is of another build."""
import os
import select
import shutil
import signal
import subprocess
import unittest

import cli_harness
from cli_harness import BUSYBOX, Home, peer_pid

HELLO = ("run", "--", BUSYBOX, "echo", "hello")


class Embedded(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)

    def assert_hello(self, done):
        self.assertEqual((done.returncode, done.stdout), (0, b"hello\n"), done.stderr)

    def wait_for_end_of(self, pid):
        descriptor = os.pidfd_open(pid)
        self.addCleanup(os.close, descriptor)
        self.assertTrue(select.select([descriptor], [], [], cli_harness.PATIENCE_S)[0], f"{pid} does not end")

    def test_many_clients_start_one_daemon(self):
        clients = [self.home.start(*HELLO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                   for _ in range(20)]
        for client in clients:
            out, err = client.communicate(timeout=cli_harness.PATIENCE_S)
            self.assertEqual((client.returncode, out, err), (0, b"hello\n", b""))
        log = (self.home.path / "state/glovebox/gloveboxd.log").read_text()
        self.assertEqual(log.count("READY"), 1, log)

    def test_the_daemon_is_its_own_session_and_for_its_user_alone(self):
        self.assert_hello(self.home.call(*HELLO))
        pid = peer_pid(self.home.socket)
        self.assertEqual(os.getsid(pid), pid)
        self.assertEqual(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
        for name in ("run/glovebox", "state/glovebox"):
            self.assertEqual((self.home.path / name).stat().st_mode & 0o777, 0o700)
        log = self.home.path / "state/glovebox/gloveboxd.log"
        self.assertEqual(log.stat().st_mode & 0o777, 0o600)

    def test_a_dead_daemon_is_replaced_and_its_jobs_are_there(self):
        self.assert_hello(self.home.call(*HELLO))
        job = self.home.call("job", "ls", "--ids").stdout.decode().strip()
        pid = peer_pid(self.home.socket)
        descriptor = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([descriptor], [], [], cli_harness.PATIENCE_S)
        os.close(descriptor)
        self.assertTrue(self.home.socket.exists())  # left behind by the dead
        self.assertEqual(self.home.call("logs", job).stdout, b"hello\n")
        self.assertNotEqual(peer_pid(self.home.socket), pid)

    def test_a_daemon_that_dies_under_a_client_is_started_again(self):
        script = "echo ready; i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo done"
        client = self.home.start("run", "--", BUSYBOX, "sh", "-c", script, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.assertEqual(os.read(client.stdout.fileno(), 6), b"ready\n")
        os.kill(peer_pid(self.home.socket), signal.SIGKILL)
        out, err = client.communicate(timeout=cli_harness.PATIENCE_S)
        self.assertEqual((client.returncode, out), (0, b"done\n"), err)
        self.assertIn(b"starting it again", err)

    def copy_of_programs(self):
        target = self.home.path / "bin"
        target.mkdir()
        for name in ("glovebox", "gloveboxd", "glovebox-worker"):
            shutil.copy(cli_harness.BIN / name, target / name)
        return target / "glovebox"

    def test_an_idle_daemon_of_another_build_is_replaced(self):
        self.assert_hello(self.home.call(*HELLO))
        first = peer_pid(self.home.socket)
        other = self.copy_of_programs()
        done = subprocess.run([other, *HELLO], env=self.home.environment, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=cli_harness.PATIENCE_S, check=False)
        self.assert_hello(done)
        second = peer_pid(self.home.socket)
        self.assertNotEqual(first, second)
        self.assertEqual(os.readlink(f"/proc/{second}/exe"), str(other.with_name("gloveboxd")))

    def test_a_busy_daemon_of_another_build_is_left_alone(self):
        job = self.home.call("run", "-d", "--", BUSYBOX, "sh", "-c", "while :; do :; done").stdout.decode().strip()
        first = peer_pid(self.home.socket)
        other = self.copy_of_programs()
        done = subprocess.run([other, *HELLO], env=self.home.environment, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=cli_harness.PATIENCE_S, check=False)
        self.assert_hello(done)
        self.assertIn(b"another build", done.stderr)
        self.assertEqual(peer_pid(self.home.socket), first)
        self.home.call("job", "cancel", job)

    def test_an_unsafe_directory_is_refused(self):
        unsafe = self.home.path / "run/glovebox"
        unsafe.mkdir()
        unsafe.chmod(0o777)
        done = self.home.call(*HELLO)
        self.assertEqual((done.returncode, done.stdout), (125, b""))
        self.assertIn(b"UNSAFE_DIRECTORY", done.stderr)

    def test_a_daemon_that_cannot_start_is_explained_with_its_log(self):
        state = self.home.path / "state/glovebox"
        state.mkdir(mode=0o700)
        (state / "store").write_text("not a directory")
        done = self.home.call(*HELLO)
        self.assertEqual((done.returncode, done.stdout), (125, b""))
        self.assertIn(b"did not come up", done.stderr)
        self.assertIn(b"gloveboxd.log", done.stderr)

    def test_health_and_version_start_nothing(self):
        done = self.home.call("health")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"NOT_RUNNING", done.stderr)
        self.assertEqual(self.home.call("version").returncode, 0)
        self.assertIsNone(peer_pid(self.home.socket))

    def test_a_named_server_is_used_and_none_is_started(self):
        self.assert_hello(self.home.call(*HELLO))
        other = Home()
        self.addCleanup(other.close)
        address = f"unix:{self.home.socket}"
        self.assert_hello(other.call("run", "--server", address, *HELLO[1:]))
        other.environment["GLOVEBOX_SERVER"] = address
        self.assert_hello(other.call(*HELLO))
        self.assertIsNone(peer_pid(other.socket))

    def test_a_daemon_that_is_told_to_end_does(self):
        self.assert_hello(self.home.call(*HELLO))
        pid = peer_pid(self.home.socket)
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end_of(pid)


if __name__ == "__main__":
    cli_harness.main()
