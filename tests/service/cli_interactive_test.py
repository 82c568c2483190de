#!/usr/bin/env python3
"""`glovebox run -it` and `-i`: the test is a person at a terminal, who types when she sees what she waits for."""
import os
import signal
import subprocess
import termios
import unittest

import cli_harness
from cli_harness import BUSYBOX, CliTest, PATIENCE_S
from person import Person

PROMPT = b"here> "
BASH = "/bin/bash"
TERMINFO = "/lib/terminfo/x/xterm"


class Interactive(CliTest):
    def sit_down(self, *words, **more):
        person = Person(self.home, "run", *words, **more)
        self.addCleanup(person.close)
        return person

    def shell(self, *options, **more):
        person = self.sit_down("-it", *options, "--env", "PS1=here> ", "--", BUSYBOX, "sh", "-i", **more)
        person.wait_for(PROMPT)
        return person

    def run_at(self, person, script):
        """Runs a script in the foreground. Returns once it has the terminal: a key that came earlier would be the
        shell's, which reads keys until a while after it has shown the end of the line (as it does without a box)."""
        person.say(f"{BUSYBOX} sh -c 'echo be\"\"gun; {script}'".encode(), b"begun\r\n")

    def test_a_shell_is_typed_at(self):
        person = self.shell()
        person.say(b"echo $((6*7))", b"42\r\n")
        person.wait_for(PROMPT)
        person.say(b"exho\x7f\x7f\x7fcho edited", b"edited\r\n")  # the shell's own line editing
        person.wait_for(PROMPT)
        person.type(b"echo lost\x03")
        person.wait_for(PROMPT)
        person.say(b"/bin/busybox tty; /bin/busybox stty size; echo $TERM", b"/dev/pts/0\r\n24 80\r\nxterm\r\n")
        person.say(b"exit 3", b"exit 3\r\n")
        self.assertEqual(person.end(), 3)
        self.assertEqual(termios.tcgetattr(person.tty), person.modes)

    def test_keys_reach_the_foreground(self):
        person = self.shell()
        self.run_at(person, "exec /bin/busybox cat")
        person.say(b"twice", b"twice\r\ntwice\r\n")
        person.type(b"\x03")
        person.wait_for(PROMPT)
        person.say(b"echo $?", b"130\r\n")
        person.wait_for(PROMPT)
        self.run_at(person, "exec /bin/busybox cat")
        person.type(b"\x1a")
        person.wait_for(b"Stopped")
        person.wait_for(PROMPT)
        person.type(b"fg\r")
        person.wait_for(b"exec /bin/busybox cat\"\r\n")
        person.say(b"again", b"again\r\nagain\r\n")
        person.type(b"\x04")
        person.wait_for(PROMPT)
        person.type(b"\x04")
        self.assertEqual(person.end(), 0)

    def test_a_busy_guest_is_interrupted(self):
        person = self.shell()
        person.type(b"while :; do :; done\r")
        person.wait_for(b"done\r\n")
        person.type(b"\x03")
        person.wait_for(PROMPT)
        person.say(b"exit", b"exit\r\n")
        self.assertEqual(person.end(), 130)

    def test_a_window_changes_its_size(self):
        person = self.shell(size=(10, 40))
        person.type(b"trap '/bin/busybox stty size' WINCH; echo rea''dy; while :; do :; done\r")
        person.wait_for(b"ready\r\n")
        person.resize(33, 111)
        person.wait_for(b"33 111\r\n")
        person.type(b"\x03")
        person.wait_for(PROMPT)
        person.say(b"exit 5", b"exit 5\r\n")
        self.assertEqual(person.end(), 5)

    def test_an_editor_edits(self):
        person = self.sit_down("-it", "--", BUSYBOX, "sh", "-c",
                               "/bin/busybox vi /tmp/text; /bin/busybox od -c /tmp/text")
        person.wait_for(b"/tmp/text")
        person.type(b"ihello\rworl\x1b")
        person.wait_for(b"- /tmp/text [Modified]")  # the escape was a key of its own
        person.type(b"ad\x1b")
        person.wait_for(b"- /tmp/text [Modified]")
        person.type(b":wq\r")
        person.wait_for(b"h   e   l   l   o  \\n   w   o   r   l   d  \\n")
        self.assertEqual(person.end(), 0)

    @unittest.skipUnless(os.path.exists(BASH) and os.path.exists(TERMINFO), "needs bash and its terminal description")
    def test_bash_edits_lines_and_controls_jobs(self):
        person = self.sit_down("-it", "--file", f"{TERMINFO}:{TERMINFO}", "--file", f"{BUSYBOX}:{BUSYBOX}",
                               "--env", "PS1=here> ", "--", BASH, "--norc", "--noprofile", "-i")
        person.wait_for(PROMPT)
        person.say(b"cho words\x01e\x05 at the en\x1b[Dd\x1b[3~n", b"words at the edn\r\n")
        person.wait_for(PROMPT)
        person.type(b"\x1b[A")  # the history
        person.wait_for(b"echo words at the edn")
        person.type(b"\x15")
        person.say(b"busy\t", b"busybox ", end=b"")
        person.type(b"\x03")
        person.wait_for(PROMPT)
        self.run_at(person, "exec /bin/busybox cat")
        person.type(b"\x1a")
        person.wait_for(b"Stopped")
        person.wait_for(PROMPT)
        person.say(b"jobs", b"Stopped                 /bin/busybox sh -c")
        person.wait_for(PROMPT)
        # A reader in the background; the shell does not wait for who is stopped.
        person.say(b"/bin/busybox cat & wait", b"Stopped")
        person.wait_for(PROMPT)
        person.say(b"kill -9 %1 %2; wait; jobs; echo d''one", b"done\r\n")
        person.wait_for(PROMPT)
        person.say(b"exit 7", b"exit\r\n")
        self.assertEqual(person.end(), 7)

    def test_the_terminal_gets_its_modes_back(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT):
            person = self.shell("--linger", "1")  # two of them leave no word for the daemon
            self.assertNotEqual(termios.tcgetattr(person.tty), person.modes)
            person.process.send_signal(number)
            self.assertIn(person.end(), (128 + number, -number))
            self.assertEqual(termios.tcgetattr(person.tty), person.modes, number)

    def test_minus_t_needs_a_terminal(self):
        done = self.run_box("-it", "--", BUSYBOX, "true")
        self.assert_ends(done, 125, b"", ("-t needs a terminal", "leave out -t"))

    def test_a_live_pipe_brings_its_bytes_as_they_come(self):
        process = self.home.start("run", "-i", "--", BUSYBOX, "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            self.assertEqual(self.read_line(process.stdout), line)
        process.stdin.close()
        self.assertEqual(process.wait(PATIENCE_S), 0)
        job = self.json_of("job", "show", self.newest_job())
        self.assertEqual(job["result"]["journalRecords"], "3")

    def test_a_real_clock_is_waited_for_and_journalled(self):
        done = self.run_script("/bin/busybox sleep 0.1; /bin/busybox sleep 0.1; echo awake", "--clock", "real")
        self.assert_ends(done, 0, b"awake\n", b"")
        result = self.json_of("job", "show", self.newest_job())["result"]
        self.assertEqual(result["journalRecords"], "2")
        self.assertGreaterEqual(int(result["virtualTimeNs"]), 200_000_000)

    def test_a_sleeper_is_stopped_and_goes_on(self):
        person = self.shell("--clock", "real")
        self.run_at(person, "trap \"echo go\"\"es on\" CONT; trap \"exit 3\" INT; "
                            "/bin/busybox sleep 3600 & wait; wait")
        person.type(b"\x1a")
        person.wait_for(b"Stopped")
        person.wait_for(PROMPT)
        person.say(b"fg", b"goes on\r\n")
        person.type(b"\x03")
        person.wait_for(PROMPT)
        person.say(b"echo $?", b"3\r\n")
        person.wait_for(PROMPT)
        self.run_at(person, "exec /bin/busybox sleep 3600")
        person.type(b"\x03")
        person.wait_for(PROMPT)
        person.say(b"exit", b"exit\r\n")
        self.assertEqual(person.end(), 130)

    def test_an_empty_live_pipe_is_at_its_end(self):
        self.assert_ends(self.run_box("-i", "--", BUSYBOX, "cat", stdin=subprocess.DEVNULL), 0, b"", b"")

    def test_much_live_input_comes_whole(self):
        data = os.urandom(300_000)
        self.assert_ends(self.run_box("-i", "--", BUSYBOX, "cat", data=data), 0, data, b"")


if __name__ == "__main__":
    cli_harness.main()
