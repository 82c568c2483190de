#!/usr/bin/env python3
"""Signals to `glovebox run`, and its disappearance. The guest says when it is ready; nothing here sleeps."""
import os
import signal
import subprocess

import cli_harness
from cli_harness import BUSYBOX, CliTest, peer_pid

SPIN = "while :; do :; done"


class Signals(CliTest):
    def start_guest(self, script, *options):
        process = self.home.start("run", *options, "--", BUSYBOX, "sh", "-c", f"{script}", stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(self.end, process)
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def state_of_newest(self):
        return self.json_of("job", "show", self.newest_job())["state"]

    def test_an_interrupt_goes_to_the_guest(self):
        process = self.start_guest(f"trap 'echo caught; exit 5' INT; echo ready; {SPIN}")
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.read_line(process.stdout), b"caught\n")
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 5)
        self.assertIn(b"interrupt sent to the guest", process.stderr.read())
        self.assertEqual(self.json_of("job", "show", self.newest_job())["result"]["journalRecords"], "1")

    def test_an_interrupt_ends_a_guest_without_a_handler(self):
        process = self.start_guest(f"echo ready; {SPIN}")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 130)
        self.assertEqual(self.state_of_newest(), "SUCCEEDED")

    def test_the_second_interrupt_cancels(self):
        process = self.start_guest(f"trap '' INT; echo ready; {SPIN}")
        process.send_signal(signal.SIGINT)
        self.assertIn(b"interrupt sent to the guest", self.read_line(process.stderr))
        process.send_signal(signal.SIGINT)
        self.assertIn(b"cancelling the job", self.read_line(process.stderr))
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 130)
        self.assertEqual(self.state_of_newest(), "CANCELLED")

    def test_a_termination_cancels(self):
        process = self.start_guest(f"trap '' INT TERM; echo ready; {SPIN}")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 143)
        self.assertEqual(self.state_of_newest(), "CANCELLED")

    def test_the_third_interrupt_leaves_a_server_that_does_not_answer(self):
        process = self.start_guest(f"echo ready; {SPIN}")
        daemon = peer_pid(self.home.socket)
        os.kill(daemon, signal.SIGSTOP)
        self.addCleanup(os.kill, daemon, signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        self.assertIn(b"interrupt sent to the guest", self.read_line(process.stderr))
        process.send_signal(signal.SIGINT)
        self.assertIn(b"cancelling the job", self.read_line(process.stderr))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 130)

    def test_an_interrupt_cancels_a_job_that_still_queues(self):
        self.assert_ends(self.run_box("--", BUSYBOX, "true"), 0)
        boxes = int(self.json_of("health")["concurrentBoxes"])
        spinners = [self.run_box("-d", "--", BUSYBOX, "sh", "-c", SPIN).stdout.decode().strip() for _ in range(boxes)]
        process = self.home.start("run", "--", BUSYBOX, "true", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(self.end, process)
        while not self.run_cli("job", "ls", "--ids", "--state", "queued").stdout:
            pass
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 130)
        self.assertEqual(self.state_of_newest(), "CANCELLED")
        for name in spinners:
            self.run_cli("job", "cancel", name)
            self.run_cli("job", "wait", name)

    def test_an_interrupt_reaches_a_guest_that_waits_for_input(self):
        read_end, write_end = os.pipe()
        process = self.home.start("run", "--", BUSYBOX, "sh", "-c", "echo ready; read line; echo $?", stdin=read_end,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        os.close(read_end)
        self.addCleanup(self.end, process)
        self.addCleanup(os.close, write_end)
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 130)

    def test_a_client_that_vanishes_takes_its_job_along(self):
        process = self.start_guest(f"echo ready; {SPIN}", "--linger", "1")
        name = self.newest_job()
        process.kill()
        process.wait()
        # `job watch` would count as watching: only the list asks without holding the job.
        while self.json_of("job", "show", name)["state"] == "RUNNING":
            pass
        self.assertEqual(self.json_of("job", "show", name)["state"], "CANCELLED")

    def test_a_detached_job_stays(self):
        name = self.run_box("--detach", "--", BUSYBOX, "sh", "-c", f"echo ready; {SPIN}").stdout.decode().strip()
        follower = self.home.start("logs", "-f", name, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(self.end, follower)
        self.assertEqual(self.read_line(follower.stdout), b"ready\n")
        follower.kill()
        follower.wait()
        self.assertEqual(self.json_of("job", "show", name)["state"], "RUNNING")
        self.run_cli("job", "cancel", name)
        self.run_cli("job", "wait", name)


if __name__ == "__main__":
    cli_harness.main()
