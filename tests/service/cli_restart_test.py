#!/usr/bin/env python3
"""A daemon that is killed and started again under `glovebox run`: the client notices nothing but a pause."""
import os
import select
import subprocess
import unittest

import cli_harness
from cli_harness import BUSYBOX, Home
from person import Person


SPIN = r"""
#include <stdio.h>
volatile int go = 0;
volatile unsigned long first = 0;
int main(void) {
  printf("ready\n"); fflush(stdout);
  while (go == 0) ++first;
  printf("went %d\n", go); fflush(stdout);
  while (go == 1) ;
  printf("went %d\n", go);
  return go;
}
"""


class Restarts(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.daemon = None
        (self.home.path / "run/d").mkdir(mode=0o700)
        self.home.environment["GLOVEBOX_SERVER"] = f"unix:{self.home.path}/run/d/s"
        self.start_daemon()
        self.addCleanup(self.kill_daemon)

    def start_daemon(self):
        self.daemon = subprocess.Popen(
            [cli_harness.BIN / "gloveboxd", "--socket", self.home.path / "run/d/s", "--store", self.home.path / "state/d"],
            env=self.home.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)
        log = b""
        while b"READY" not in log:
            self.assertTrue(select.select([self.daemon.stderr], [], [], cli_harness.PATIENCE_S)[0], log)
            piece = os.read(self.daemon.stderr.fileno(), 65536)
            self.assertTrue(piece, log)
            log += piece

    def kill_daemon(self):
        self.daemon.kill()
        self.daemon.wait()
        self.daemon.stderr.close()

    def restart_daemon(self):
        self.kill_daemon()
        self.start_daemon()

    def start_run(self, *words):
        process = self.home.start("run", "--linger", "3600", *words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(process.wait)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def start_guest(self, script, stdin=subprocess.DEVNULL):
        # A loaded machine may take its time between two daemons: how long the job waits is not the subject.
        process = self.home.start("run", "--linger", "3600", "--", BUSYBOX, "sh", "-c", script, stdin=stdin, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(process.wait)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.assertEqual(os.read(process.stdout.fileno(), 6), b"ready\n")
        return process

    def assert_ends(self, process, stdout):
        out, err = process.communicate(timeout=cli_harness.PATIENCE_S)
        self.assertEqual((process.returncode, out, err), (0, stdout, b""))

    def test_output_goes_on_where_it_stopped(self):
        process = self.start_guest("echo ready; i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo done")
        self.restart_daemon()
        self.assert_ends(process, b"done\n")
        job = self.home.call("job", "ls", "--ids").stdout.decode().strip()
        self.assertEqual(self.home.call("logs", job).stdout, b"ready\ndone\n")

    def test_a_shell_at_a_terminal_goes_on_where_it_stopped(self):
        person = Person(self.home, "run", "--linger", "3600", "-it", "--env", "PS1=here> ", "--", BUSYBOX, "sh", "-i")
        self.addCleanup(person.close)
        person.wait_for(b"here> ")
        person.say(b"a=$((40+2)); echo first", b"first\r\nhere> ")
        person.type(b"echo half")
        person.wait_for(b"half")
        self.restart_daemon()
        person.say(b" $a", b"half 42\r\nhere> ")
        person.say(b"exit 9", b"exit 9\r\n")
        self.assertEqual(person.end(), 9)
        job = self.home.call("job", "ls", "--ids").stdout.decode().strip()
        shown = self.home.call("logs", job).stdout
        self.assertEqual(shown.count(b"\r\nfirst\r\n"), 1)  # the answer; the line that asks for it ends with it too
        self.assertIn(b"echo half $a\r\nhalf 42\r\n", shown)

    def test_input_goes_on_where_it_stopped(self):
        data = os.urandom(1 << 18).hex().encode()
        process = self.start_guest("echo ready; read -r line; echo ${#line}; read -r rest; echo ${#rest}",
                                   stdin=subprocess.PIPE)
        half = len(data) // 2
        process.stdin.write(data[:half])
        self.restart_daemon()
        process.stdin.write(data[half:] + b"\n" + b"x" * 1000 + b"\n")
        self.assert_ends(process, f"{len(data)}\n1000\n".encode())

    def spinning_program(self):
        source = self.home.path / "spin.c"
        source.write_text(SPIN, encoding="ascii")
        program = str(source.with_suffix(""))
        subprocess.run(["gcc", "-g", "-O0", "-static", str(source), "-o", program], check=True)
        return program

    def gdb(self, job, program, *commands):
        words = [word for command in commands for word in ("-ex", command)]
        done = self.home.call("gdb", job, "-nx", "-batch", "-ex", "set confirm off", "-ex", "set debuginfod enabled off",
                              program, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode() + done.stderr.decode()

    def test_what_a_debugger_changed_outlives_the_daemon(self):
        program = self.spinning_program()
        process = self.start_run("--limit", "wall=1h", program)
        self.assertEqual(os.read(process.stdout.fileno(), 6), b"ready\n")
        job = self.home.call("job", "ls", "--ids").stdout.decode().strip()
        self.gdb(job, program, "set var go = 1", "detach")
        self.assertEqual(os.read(process.stdout.fileno(), 7), b"went 1\n")
        self.restart_daemon()
        # It spins on, once the second attempt has got by the first loop in the same way.
        while b"went 1" not in self.home.call("logs", job).stdout:
            self.assertIsNone(process.poll())
        self.gdb(job, program, "set var go = 2", "detach")
        out, err = process.communicate(timeout=cli_harness.PATIENCE_S)
        self.assertEqual((process.returncode, out, err), (2, b"went 2\n", b""))
        self.assertEqual(self.home.call("logs", job).stdout, b"ready\nwent 1\nwent 2\n")
        self.restart_daemon()
        said = self.gdb(job, program, "print go", "print first", "continue")
        self.assertIn("$1 = 2", said)
        self.assertIn("exited with code 02", said)
        self.assertIn("ended as the job did", said)

    def test_a_job_waits_for_its_debugger_across_a_restart(self):
        program = self.spinning_program()
        process = self.start_run("--gdb=:0", program)
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(process.stderr.fileno(), 1)
        address = line.split()[-1].decode()
        self.kill_daemon()
        # It comes while there is no daemon, and waits for the next one.
        gdb = subprocess.Popen(["gdb", "-nx", "-batch", program, "-ex", "set debuginfod enabled off", "-ex", "set tcp connect-timeout 600",
                                "-ex", "set remotetimeout 600", "-ex", f"target extended-remote {address}", "-ex", "break main",
                                "-ex", "continue", "-ex", "print go", "-ex", "kill"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.start_daemon()
        said, _ = gdb.communicate(timeout=cli_harness.PATIENCE_S)
        self.assertIn(b"Breakpoint 1, main", said)
        self.assertIn(b"$1 = 0", said)
        out, _ = process.communicate(timeout=cli_harness.PATIENCE_S)
        self.assertEqual(out, b"")


if __name__ == "__main__":
    cli_harness.main()
