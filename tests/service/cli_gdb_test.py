#!/usr/bin/env python3
"""`glovebox gdb` and `run --gdb`: a real gdb at a job, through daemon and worker. Nothing here sleeps."""
import pathlib
import re
import signal
import subprocess
import tempfile

import cli_harness
from cli_harness import BUSYBOX, CliTest

PROGRAM = r"""
#include <stdio.h>
#include <unistd.h>
volatile int go = 0;
int counter = 0;
int square(int n) { return n * n; }
int main(int argc, char **argv) {
  char line[16];
  printf("ready\n"); fflush(stdout);
  for (int i = 0; i < 20; ++i) counter += square(i);
  if (argc > 1) while (!go) ;
  printf("counter %d\n", counter);
  return counter % 100;
}
"""
QUIET = ["-nx", "-batch", "-ex", "set confirm off", "-ex", "set debuginfod enabled off"]


class Debugging(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        source = pathlib.Path(folder.name) / "prog.c"
        source.write_text(PROGRAM, encoding="ascii")
        cls.program = str(source.with_suffix(""))
        subprocess.run(["gcc", "-g", "-O0", "-static", str(source), "-o", cls.program], check=True)

    def start(self, *words, **options):
        process = self.home.start(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  bufsize=0, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def gdb(self, job, *commands):
        """What gdb says at the job."""
        words = [word for command in commands for word in ("-ex", command)]
        done = self.run_cli("gdb", job, *QUIET, self.program, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def spinning_job(self):
        process = self.start("run", self.program, "spin")
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        return process, self.newest_job()

    def test_a_running_job_is_joined_changed_and_let_go(self):
        process, job = self.spinning_job()
        said = self.gdb(job, "print go", "print counter", "print square(7)", "info threads", "set var go = 1", "detach")
        self.assertIn("$1 = 0", said)
        self.assertIn("$2 = 2470", said)
        self.assertIn("$3 = 49", said)
        self.assertEqual(self.read_line(process.stdout), b"counter 2470\n")
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 70)
        events = self.run_cli("job", "watch", job).stdout.decode()
        self.assertIn("STOPPED", events)
        self.assertIn("altered", events)

    def test_looking_leaves_no_mark(self):
        plain = self.run_box("-o", "json", self.program)
        count = re.search(rb'"icount": "(\d+)"', plain.stdout).group(1)
        trace = re.search(rb'"traceHash": "(\w+)"', plain.stdout).group(1)
        process = self.start("run", "--gdb=:0", "-o", "json", self.program)
        address = re.search(rb"at (127\.0\.0\.1:\d+)", self.read_line(process.stderr)).group(1).decode()
        done = subprocess.run(["gdb", *QUIET, self.program, "-ex", f"target extended-remote {address}", "-ex", "break square",
                               "-ex", "continue", "-ex", "bt", "-ex", "info registers", "-ex", "delete", "-ex", "detach"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=cli_harness.PATIENCE_S, check=False)
        self.assertIn(b"square (n=0)", done.stdout)
        out, _ = process.communicate(timeout=cli_harness.PATIENCE_S)
        self.assertIn(count, out)
        self.assertIn(trace, out)

    def test_the_first_instruction_is_waited_for(self):
        done = self.run_box("--gdb", self.program, data=b"set confirm off\nbreak main\ncontinue\nprint argc\ncontinue\nquit\n")
        self.assertIn(b"Breakpoint 1, main (argc=1", done.stdout)
        self.assertIn(b"$1 = 1", done.stdout)
        self.assertIn(b"counter 2470", done.stdout)
        self.assertEqual(done.returncode, 70)

    def test_conditions_are_the_engines(self):
        process = self.start("run", "--gdb=:0", self.program)
        address = re.search(rb"at (127\.0\.0\.1:\d+)", self.read_line(process.stderr)).group(1).decode()
        done = subprocess.run(["gdb", *QUIET, self.program, "-ex", f"target extended-remote {address}", "-ex",
                               "break square if n == 17", "-ex", "continue", "-ex", "print counter", "-ex", "watch counter",
                               "-ex", "continue", "-ex", "kill"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=cli_harness.PATIENCE_S, check=False)
        self.assertIn(b"square (n=17)", done.stdout)
        self.assertIn(b"New value = 1785", done.stdout)

    def gdb_from_the_start(self, script):
        """A job at its first instruction under gdb, which carries out the script; what both say."""
        process = self.start("run", "--gdb=:0", self.program)
        address = re.search(rb"at (127\.0\.0\.1:\d+)", self.read_line(process.stderr)).group(1).decode()
        commands = pathlib.Path(self.program).with_suffix(".gdb")
        commands.write_text(f"target extended-remote {address}\n{script}", encoding="ascii")
        done = subprocess.run(["gdb", *QUIET, self.program, "-x", str(commands)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=cli_harness.PATIENCE_S, check=False)
        out, _ = process.communicate(timeout=cli_harness.PATIENCE_S)
        return done.stdout.decode(), out, process.returncode

    def test_a_program_runs_again_and_the_last_run_counts(self):
        said, out, status = self.gdb_from_the_start(
            "break square if n == 3\ncontinue\nkill\nrun\ndelete\ncontinue\nstart\nset var counter = 5\ncontinue\n")
        self.assertIn("exited with code 0106", said)  # 2470 % 100
        self.assertIn("exited with code 0113", said)
        self.assertEqual(out, b"ready\nready\ncounter 2470\nready\ncounter 2475\n")
        self.assertEqual(status, 75)

    def test_tracepoints_collect_in_the_box(self):
        said, out, status = self.gdb_from_the_start(
            "trace square if n > 16\nactions\ncollect n\nend\nbreak 12\ntstart\ncontinue\ntstop\ntstatus\ntfind start\n"
            "print n\ntfind\nprint n\ntfind none\ncontinue\n")
        self.assertRegex(said, r"Collected 3 trace frames(.|\n)*\$1 = 17(.|\n)*\$2 = 18")
        self.assertEqual((out, status), (b"ready\ncounter 2470\n", 70))

    def test_one_debugger_at_a_time(self):
        process, job = self.spinning_job()
        first = self.home.start("gdb-pipe", job, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        first.stdin.write(b"$qC#b4")
        answer = b""
        while b"#" not in answer:
            answer += first.stdout.read(1)
        self.assertTrue(answer.startswith(b"+$QC"), answer)
        self.assertEqual(self.json_of("job", "show", job)["state"], "STOPPED")
        second = self.run_cli("gdb-pipe", job)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(b"DEBUGGER_BUSY", second.stderr)
        # One that dies lets the job run on, and another one may come.
        first.kill()
        first.communicate()
        while "$1 = 0" not in self.gdb(job, "print go", "set var go = 1", "detach"):
            pass
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 70)

    def test_strange_addresses_are_refused(self):
        self.run_box(BUSYBOX, "true")
        job = self.newest_job()
        self.assert_ends(self.run_cli("gdb", "--listen", "0.0.0.0:1", job), 1, stderr=("BAD_ADDRESS",))
        self.assert_ends(self.run_cli("gdb"), 1, stderr=("which JOB",))

    def test_the_command_is_printed(self):
        process, job = self.spinning_job()
        said = self.run_cli("gdb", "--print", job, "-x", "a file").stdout.decode()
        self.assertIn("gdb-pipe jobs/", said)
        self.assertIn("-x 'a file'", said)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 143)  # or it spins on, and the daemon waits for it


if __name__ == "__main__":
    cli_harness.main()
