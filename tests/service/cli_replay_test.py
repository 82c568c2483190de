#!/usr/bin/env python3
"""Jobs that have ended, and cores: a real gdb at replays, through daemon and worker. Nothing here sleeps."""
import pathlib
import re
import signal
import subprocess
import tempfile

import cli_harness
from cli_harness import BUSYBOX, CliTest

CRASH = r"""
#include <stdio.h>
int depth_seen = 0;
int *nowhere = 0;
int deep(int n) {
  volatile int here = n * 10;
  depth_seen++;
  if (n == 0) *nowhere = here;
  return deep(n - 1) + here;
}
int main(void) { printf("before\n"); fflush(stdout); return deep(3); }
"""
LEAVES = r"""
#include <stdio.h>
#include <stdlib.h>
int counter = 0;
static void leave(int status) { exit(status); }
int main(void) {
  for (int i = 0; i < 1000; ++i) counter += i;
  printf("counter %d\n", counter);
  leave(7);
}
"""
LIVE = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
volatile sig_atomic_t interrupts = 0;
char line[64];
static void on_interrupt(int number) { (void)number; interrupts++; write(1, "interrupt\n", 10); }
int main(void) {
  struct sigaction action = {0};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, 0);
  write(1, "ready\n", 6);
  while (fgets(line, sizeof line, stdin)) {
    printf("got %s", line);
    fflush(stdout);
    if (line[0] == 'x') abort();
  }
  return 3;
}
"""
SPIN = r"""
#include <stdio.h>
volatile int go = 0;
volatile unsigned long turns = 0;
int main(void) {
  printf("ready\n"); fflush(stdout);
  while (!go) ++turns;
  printf("went %d\n", go);
  return go;
}
"""
THREADS = r"""
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static int pipe_of[2];
double third = 0;
static void *wait_here(void *name) { char c; (void)name; return read(pipe_of[0], &c, 1) ? 0 : 0; }
static void *divide(void *by) { volatile double d = 1.0; third = d / 3; volatile int zero = 0; return (void *)(long)(7 / zero + (long)by); }
int main(void) {
  pthread_t waiter, divider;
  pipe(pipe_of);
  pthread_create(&waiter, 0, wait_here, 0);
  pthread_create(&divider, 0, divide, 0);
  return pthread_join(divider, 0);
}
"""
QUIET = ["-nx", "-batch", "-ex", "set confirm off", "-ex", "set debuginfod enabled off"]


class Replays(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)

    @classmethod
    def program(cls, name, source, *options):
        path = cls.folder / name
        if not path.exists():
            path.with_suffix(".c").write_text(source, encoding="ascii")
            subprocess.run(["gcc", "-g", "-O0", "-static", "-w", str(path.with_suffix(".c")), "-o", str(path), "-pthread",
                            *options], check=True)
        return str(path)

    def ended(self, status, *words, **options):
        done = self.run_box(*words, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        return self.newest_job()

    def gdb(self, job, *commands, options=(), program=None):
        words = [word for command in commands for word in ("-ex", command)]
        done = self.run_cli("gdb", *options, job, *QUIET, *([program] if program else []), *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode() + done.stderr.decode()

    def show(self, job):
        return self.json_of("job", "show", job)

    def record(self, job):
        """Everything that anybody sees of a job."""
        return (self.show(job), self.run_cli("job", "watch", job).stdout, self.run_cli("logs", job).stdout)

    def start(self, *words, **options):
        process = self.home.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                                  **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def test_a_crash_is_opened_at_its_instruction(self):
        crash = self.program("crash", CRASH)
        job = self.ended(139, crash)
        before = self.record(job)
        said = self.gdb(job, "print depth_seen", "print $_siginfo.si_signo", "print $_siginfo._sifields._sigfault.si_addr",
                        "bt", "up", "print here", "info proc mappings", "monitor icount", program=crash)
        self.assertIn("$1 = 4", said)
        self.assertIn("$2 = 11", said)
        self.assertIn("$3 = (void *) 0x0", said)
        self.assertRegex(said, r"#0 .*deep \(n=0\)")
        self.assertRegex(said, r"#4 .*main \(\)")
        self.assertIn("$4 = 10", said)
        self.assertIn("crash", said)
        self.assertIn(f"{before[0]['result']['icount']} instructions have retired", said)
        self.assertIn("before SIGSEGV ends it", said)
        self.assertNotIn("DIFFERS", said)
        self.assertEqual(self.record(job), before)

    def test_an_exit_stands_before_it_takes_effect(self):
        leaves = self.program("leaves", LEAVES)
        job = self.ended(7, leaves)
        before = self.record(job)
        said = self.gdb(job, "print counter", "bt", "monitor icount", "continue", program=leaves)
        self.assertIn("$1 = 499500", said)
        self.assertRegex(said, r"leave \(status=7\)")
        self.assertIn("before its exit with status 7", said)
        self.assertIn(f"{before[0]['result']['icount']} instructions have retired", said)
        self.assertIn("exited with code 07", said)
        self.assertIn("ended as the job did", said)
        self.assertEqual(self.record(job), before)

    def test_any_icount_can_be_stood_at(self):
        leaves = self.program("leaves", LEAVES)
        job = self.ended(7, leaves)
        end = int(self.show(job)["result"]["icount"])
        for at in (0, 1, end // 2, end - 1):
            said = self.gdb(job, "monitor icount", "print $pc", "stepi", options=("--at", str(at)), program=leaves)
            self.assertIn(f"\n{at} instructions have retired", "\n" + said)
            self.assertIn(f"it stands at icount {at} of {end}", said)
        said = self.gdb(job, "monitor icount", options=("--at", str(end + 5)), program=leaves)
        self.assertIn(f"{end} instructions have retired", said)
        self.assertIn(f"{end + 5} is beyond its end at icount {end}", said)

    def test_what_came_from_outside_comes_again(self):
        live = self.program("live", LIVE)
        process = self.start("run", "-i", "--limit", "insns=100000000", live)
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        process.stdin.write(b"one\n")
        self.assertEqual(self.read_line(process.stdout), b"got one\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.read_line(process.stdout), b"interrupt\n")
        process.stdin.write(b"x two\n")
        self.assertEqual(self.read_line(process.stdout), b"got x two\n")
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 134)
        job = self.newest_job()
        before = self.record(job)
        said = self.gdb(job, "print interrupts", "print line", "bt", "print $_siginfo.si_signo", program=live)
        self.assertIn("before SIGABRT ends it", said)
        self.assertIn("$3 = 6", said)
        self.assertIn("$1 = 1", said)
        self.assertIn('"x two\\n', said)
        self.assertIn("main ()", said)
        self.assertNotIn("DIFFERS", said)
        self.assertEqual(self.record(job), before)

    def test_the_end_of_live_input_comes_again(self):
        live = self.program("live", LIVE)
        job = self.ended(3, "-i", live, data=b"last\n")
        said = self.gdb(job, "print line", "continue", program=live)
        self.assertIn('"last\\n', said)
        self.assertIn("exited with code 03", said)
        self.assertIn("ended as the job did", said)

    def test_a_cancelled_job_stands_where_it_was(self):
        spin = self.program("spin", SPIN)
        process = self.start("run", spin)
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        job = self.newest_job()
        self.run_cli("job", "cancel", job)
        process.wait(cli_harness.PATIENCE_S)
        icount = self.show(job)["result"]["icount"]
        said = self.gdb(job, "monitor icount", "print go", "bt", program=spin)
        self.assertIn(f"\n{icount} instructions have retired", "\n" + said)
        self.assertIn("where it was cancelled", said)
        self.assertIn("main ()", said)

    def test_one_that_waits_for_its_input_is_cancelled_there(self):
        process = self.start("run", "--", BUSYBOX, "sh", "-c", "echo ready; read -r line; echo $line")
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        job = self.newest_job()
        self.run_cli("job", "cancel", job)
        process.wait(cli_harness.PATIENCE_S)
        icount = self.show(job)["result"]["icount"]
        said = self.gdb(job, "monitor icount", "print $orig_rax")
        self.assertIn(f"\n{icount} instructions have retired", "\n" + said)
        self.assertRegex(said, r"\$1 = [07]\n")  # read(2), or poll(2) before it

    def test_limits_and_deadlocks_are_stood_before(self):
        spin = self.program("spin", SPIN)
        job = self.ended(124, "--limit", "insns=200000", spin)
        said = self.gdb(job, "monitor icount", "continue", program=spin)
        self.assertIn("199999 instructions have retired", said)
        self.assertIn("before it meets its limit 'insns'", said)
        self.assertIn("ended as the job did", said)
        done = self.run_box(BUSYBOX, "sh", "-c", "mkfifo /f; cat /f")
        job = self.newest_job()
        self.assertIn("deadlock", self.show(job)["result"]["termination"], done.stderr)
        said = self.gdb(job, "bt 1", "continue")
        self.assertIn("in the deadlock that ended it", said)
        self.assertIn("ended as the job did", said)

    def test_several_replays_of_one_job_at_a_time(self):
        job = self.ended(139, self.program("crash", CRASH))
        pipes = [self.start("gdb-pipe", job) for _ in range(2)]
        for pipe in pipes:
            pipe.stdin.write(b"$?#3f")
            answer = b""
            while b"#" not in answer:
                answer += pipe.stdout.read(1)
            self.assertTrue(answer.startswith(b"+$T0b"), answer)
        self.assertEqual(self.show(job)["state"], "SUCCEEDED")

    def test_replays_are_listened_for(self):
        crash = self.program("crash", CRASH)
        job = self.ended(139, crash)
        listener = self.start("gdb", "--listen", ":0", job)
        for _ in range(2):
            line = self.read_line(listener.stderr)
            while b"may join" not in line:
                self.assertTrue(line)
                line = self.read_line(listener.stderr)
            address = re.search(rb"at (127\.0\.0\.1:\d+)", line).group(1).decode()
            done = subprocess.run(["gdb", *QUIET, crash, "-ex", f"target extended-remote {address}", "-ex", "print depth_seen"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=cli_harness.PATIENCE_S, check=False)
            self.assertIn(b"$1 = 4", done.stdout)
        said = self.run_cli("gdb", "--print", "--at", "12", job).stdout.decode()
        self.assertRegex(said, r"gdb-pipe jobs/\w+ --at 12")

    def test_what_cannot_be_replayed_is_refused(self):
        self.run_box("--", BUSYBOX, "true", "--no-such-thing")
        refused = self.newest_job()
        self.run_cli("job", "rm", refused)
        self.assert_ends(self.run_cli("gdb-pipe", refused), 1, stderr=("JOB_NOT_FOUND",))
        script = self.folder / "script"
        script.write_text("#!/nowhere/interpreter\n", encoding="ascii")
        script.chmod(0o755)
        self.run_box(str(script))
        self.assert_ends(self.run_cli("gdb-pipe", self.newest_job()), 1, stderr=("NOTHING_TO_REPLAY", "could not be started"))
        process = self.start("run", self.program("spin", SPIN))
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        job = self.newest_job()
        self.assert_ends(self.run_cli("gdb-pipe", "--at", "5", job), 1, stderr=("JOB_NOT_ENDED",))
        self.run_cli("job", "cancel", job)

    def altered_job(self, *commands):
        """A job whose debugger did these things; it ends by itself then."""
        spin = self.program("spin", SPIN)
        process = self.start("run", spin)
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        job = self.newest_job()
        self.gdb(job, *commands, program=spin)
        status = process.wait(cli_harness.PATIENCE_S)
        return job, status

    def test_what_a_debugger_changed_is_changed_again(self):
        job, status = self.altered_job("print turns", "set var go = 5", "detach")
        self.assertEqual(status, 5)
        shown = self.show(job)
        self.assertTrue(shown["altered"])
        self.assertEqual(self.run_cli("logs", job).stdout, b"ready\nwent 5\n")
        said = self.gdb(job, "print go", "continue", program=self.program("spin", SPIN))
        self.assertIn("$1 = 5", said)
        self.assertIn("exited with code 05", said)
        self.assertIn("ended as the job did", said)
        self.assertIn("altered", self.run_cli("job", "show", job).stdout.decode())

    def test_calls_registers_and_signals_of_a_debugger_come_again(self):
        spin = self.program("spin", SPIN)
        job, status = self.altered_job("set var turns = 100", "watch turns", "continue",
                                       "delete", "print (int)puts(\"called\")", "set var go = 2", "set $rdx = 77",
                                       "detach")
        self.assertEqual(status, 2)
        self.assertIn(b"called", self.run_cli("logs", job).stdout)
        said = self.gdb(job, "continue", program=spin)
        self.assertIn("ended as the job did", said)
        process = self.start("run", spin)
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        job = self.newest_job()
        # The job ends under gdb, which is then alone and says so.
        self.run_cli("gdb", job, *QUIET, spin, "-ex", "signal SIGUSR1")
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 128 + signal.SIGUSR1)
        said = self.gdb(job, "print $_siginfo.si_signo", program=spin)
        self.assertIn("$1 = 10", said)
        self.assertNotIn("DIFFERS", said)

    def test_looking_does_not_alter(self):
        process = self.start("run", self.program("spin", SPIN))
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        job = self.newest_job()
        self.gdb(job, "print turns", "info registers", "detach", program=self.program("spin", SPIN))
        self.assertFalse(self.show(job)["altered"])
        self.run_cli("job", "cancel", job)

    def core(self, job, *options):
        file = self.folder / f"core.{len(list(self.folder.iterdir()))}"
        done = self.run_cli("core", job, "-o", str(file), *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(file.stat().st_blocks * 512, 64 << 20)
        return file

    def at_core(self, program, core, *commands):
        words = [word for command in commands for word in ("-ex", command)]
        done = subprocess.run(["gdb", *QUIET, program, str(core), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=cli_harness.PATIENCE_S, check=False)
        return done.stdout.decode()

    def test_a_core_of_an_ended_job_has_its_threads(self):
        for name, options in (("threads", ()), ("threads32", ("-m32",))):
            with self.subTest(name):
                program = self.program(name, THREADS, *options)
                job = self.ended(136, program)
                before = self.record(job)
                said = self.at_core(program, self.core(job), "info threads", "bt", "print third", "print zero",
                                    "print $_siginfo.si_signo", "thread apply all bt", "info auxv", "info proc mappings",
                                    "print $ymm0", "print $st0", "info proc")
                self.assertIn("terminated with signal SIGFPE", said)
                self.assertEqual(len(re.findall(r"^[* ] +\d+ +.*LWP", said, re.M)), 3, said)
                self.assertRegex(said, r"#0 .*divide ")
                self.assertIn("$1 = 0.33333333333333331", said)
                self.assertIn("$2 = 0", said)
                self.assertIn("$3 = 8", said)
                self.assertIn("wait_here", said)
                self.assertIn("main ()", said)
                self.assertIn("AT_ENTRY", said)
                self.assertIn("v8_float", said)
                self.assertIn(name, said)
                self.assertNotIn("Cannot access memory", said)
                self.assertEqual(self.record(job), before)

    def test_a_core_of_a_running_job_leaves_it_as_it_was(self):
        live = self.program("live", LIVE)
        process = self.start("run", "-i", live)
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        process.stdin.write(b"one\n")
        self.assertEqual(self.read_line(process.stdout), b"got one\n")
        job = self.newest_job()
        core = self.core(job)
        process.stdin.write(b"two\n")
        self.assertEqual(self.read_line(process.stdout), b"got two\n")
        process.stdin.close()
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 3)
        said = self.at_core(live, core, "print line", "bt")
        self.assertIn('"one\\n', said)
        self.assertIn("main ()", said)
        self.assertFalse(self.show(job)["altered"])
        process.stdin = open("/dev/null", "wb")  # the clean-up closes it

    def test_cores_of_other_processes_and_icounts(self):
        job = self.ended(0, BUSYBOX, "sh", "-c", "sleep 1000 & exec true")
        said = self.at_core(BUSYBOX, self.core(job, "--at", "100000"), "info threads")
        self.assertIn("LWP 2", said)
        self.assert_ends(self.run_cli("core", job, "--pid", "99", "-o", "/dev/null"), 1, stderr=("PROCESS_NOT_FOUND", "99"))
        self.assert_ends(self.run_cli("core", job, "-o", "/no/such/folder/core"), 1, stderr=("cannot write",))


if __name__ == "__main__":
    cli_harness.main()
