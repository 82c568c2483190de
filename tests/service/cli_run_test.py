#!/usr/bin/env python3
"""`glovebox run` against a real daemon: bytes through, statuses as documented, bad input with a message."""
import hashlib
import json
import os
import pathlib
import pty
import re
import resource
import subprocess
import threading

import cli_harness
from cli_harness import BUSYBOX, CliTest

EVENT = re.compile(r"^\[ *\d+\] (\w+\(.*\) = .+|--- SIG\w+ \{.*\} ---)$")


class Output(CliTest):
    def test_a_program_runs_and_nothing_is_added_to_its_output(self):
        self.assert_ends(self.run_box("--", BUSYBOX, "echo", "hello"), 0, b"hello\n", b"")

    def test_stdout_and_stderr_go_their_own_ways_byte_for_byte(self):
        done = self.run_script(r"printf 'a\000\377b'; printf 'c\000\376d' >&2")
        self.assert_ends(done, 0, b"a\0\xffb", b"c\0\xfed")

    def test_both_streams_keep_the_guests_order(self):
        script = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"
        together = self.home.files / "together"
        with together.open("wb") as file:
            process = self.home.start("run", "--", BUSYBOX, "sh", "-c", script, stdin=subprocess.DEVNULL, stdout=file,
                                      stderr=file)
            self.assertEqual(process.wait(cli_harness.PATIENCE_S), 0)
        self.assertEqual(together.read_text().split(), [f"{s}{i}" for i in range(200) for s in "oe"])

    def test_much_output_comes_whole(self):
        done = self.run_box("--", BUSYBOX, "seq", "1", "200000")
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(),
                         hashlib.sha256("".join(f"{i}\n" for i in range(1, 200001)).encode()).hexdigest())
        self.assert_ends(done, 0, stderr=b"")

    def test_a_dynamic_program_brings_its_libraries(self):
        source = self.home.files / "program.c"
        source.write_text('#include <math.h>\n#include <stdio.h>\nint main(int c, char **v) {'
                          ' printf("%s %.6f\\n", v[1], cos(c)); return 3; }\n')
        program = self.home.files / "program"
        subprocess.run(["cc", "-O1", "-o", str(program), str(source), "-lm"], check=True)
        self.assert_ends(self.run_box("--", str(program), "dynamic"), 3, b"dynamic -0.416147\n", b"")
        script = self.home.files / "script"
        script.write_text("#!/bin/bash\nfor i in 1 2 3; do echo $((i * i)); done | { read a; read b; echo $b; }\n")
        script.chmod(0o755)
        self.assert_ends(self.run_box("--", str(script)), 0, b"4\n", b"")

    def test_a_reader_that_leaves_ends_the_job_quietly(self):
        process = self.home.start("run", "--", BUSYBOX, "yes", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, bufsize=0)
        self.assertEqual(self.read_line(process.stdout), b"y\n")
        process.stdout.close()
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), -13)  # SIGPIPE, as of `yes | head -1`
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(self.json_of("job", "show", self.newest_job())["state"], "CANCELLED")

    def test_a_full_disk_is_an_error_of_ours(self):
        with open("/dev/full", "wb") as full:
            process = self.home.start("run", "--", BUSYBOX, "echo", "x", stdin=subprocess.DEVNULL, stdout=full,
                                      stderr=subprocess.PIPE)
            stderr = process.communicate(timeout=cli_harness.PATIENCE_S)[1].decode()
        self.assertEqual(process.returncode, 125)
        self.assertIn("No space left on device", stderr)


class Statuses(CliTest):
    def test_the_guests_status_is_ours(self):
        for status in (0, 1, 3, 255):
            self.assert_ends(self.run_script(f"exit {status}"), status, b"", b"")

    def test_a_signal_is_128_more(self):
        self.assert_ends(self.run_script("kill -KILL $$"), 137, b"", ("killed by signal 9 (SIGKILL)",))
        self.assert_ends(self.run_script("kill -SEGV $$"), 139, b"", ("SIGSEGV",))

    def test_a_limit_is_124_and_is_named(self):
        spin = "while :; do :; done"
        self.assert_ends(self.run_script(spin, "--limit", "insns=3M"), 124, b"",
                         ("at instruction 3,000,000 the guest hit its limit insns (3,000,000 instructions)",))
        self.assert_ends(self.run_script(spin, "--limit", "wall=100ms"), 124, b"", ("hit its limit wall (100 ms)",))
        done = self.run_box("--limit", "output=10K", "--", BUSYBOX, "yes")
        self.assert_ends(done, 124, b"y\n" * 5120, ("hit its limit output (10.0 KiB)",))
        done = self.run_box("--limit", "mem=8M", "--", BUSYBOX, "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
        self.assert_ends(done, 124, stderr=("hit its limit mem (8.0 MiB)",))

    def test_a_program_that_is_nowhere_is_127_with_a_hint(self):
        self.assert_ends(self.run_box("no-such-program"), 127, b"", ("ENOENT", "a path, such as ./no-such-program"))
        self.assert_ends(self.run_box("./absent"), 127, b"", ("ENOENT", "what is no file of this machine"))

    def test_a_bare_name_is_not_taken_from_this_machine(self):
        self.home.file("ls", b"#!/bin/sh\n", 0o755)
        self.assert_ends(self.run_box("ls"), 127, b"", ("looked for in the box only",))

    def test_a_bare_name_is_found_in_the_box(self):
        self.assert_ends(self.run_box("--file", f"{BUSYBOX}:/usr/bin/echo", "echo", "found"), 0, b"found\n", b"")

    def test_a_program_that_cannot_run_is_126(self):
        plain = self.home.file("plain", b"just text", 0o644)
        self.assert_ends(self.run_box(plain), 126, b"", ("EACCES",))
        text = self.home.file("text", b"just text", 0o755)
        self.assert_ends(self.run_box(text), 126, b"", ("ENOEXEC",))
        self.assert_ends(self.run_box(str(self.home.files)), 126, b"", ("is a directory",))
        cut = self.home.file("cut", pathlib.Path(BUSYBOX).read_bytes()[:100], 0o755)
        self.assert_ends(self.run_box(cut), 126, b"", ("cannot run",))
        foreign = bytearray(pathlib.Path(BUSYBOX).read_bytes())
        foreign[18] = 0xb7  # e_machine: AArch64
        self.assert_ends(self.run_box(self.home.file("foreign", bytes(foreign), 0o755)), 126, b"", ("ENOEXEC",))


class Files(CliTest):
    def test_a_relative_program_runs_at_its_path_from_the_root(self):
        self.home.file("busybox", pathlib.Path(BUSYBOX).read_bytes(), 0o755)
        self.assert_ends(self.run_box("./busybox", "readlink", "/proc/self/exe"), 0, b"/busybox\n", b"")
        done = self.run_box("--cwd", "/a/b", "./busybox", "readlink", "/proc/self/exe")
        self.assert_ends(done, 0, b"/a/b/busybox\n", b"")
        self.assert_ends(self.run_box("--cwd", "/a/b", "./busybox", "pwd"), 0, b"/a/b\n", b"")

    def test_files_are_put_where_they_are_wanted(self):
        self.home.file("in.txt", b"content\n", 0o640)
        done = self.run_box("--file", "in.txt:/data/deep/", "--", BUSYBOX, "stat", "-c", "%a %u %g %Y %s",
                            "/data/deep/in.txt")
        self.assert_ends(done, 0, b"640 0 0 0 8\n", b"")
        done = self.run_box("--file", "in.txt:/x", "--", BUSYBOX, "cat", "/x")
        self.assert_ends(done, 0, b"content\n", b"")

    def test_a_directory_comes_with_its_links(self):
        tree = self.home.files / "tree"
        (tree / "sub").mkdir(parents=True)
        (tree / "sub/file").write_text("deep\n")
        (tree / "link").symlink_to("sub/file")
        self.assert_ends(self.run_box("--dir", "tree:/t", "--", BUSYBOX, "cat", "/t/link"), 0, b"deep\n", b"")

    def test_the_times_come_along_when_asked(self):
        path = self.home.file("dated", b"x")
        os.utime(path, (1_500_000_000, 1_500_000_000))
        done = self.run_box("--keep-mtime", "--file", "dated:/dated", "--", BUSYBOX, "stat", "-c", "%Y", "/dated")
        self.assert_ends(done, 0, b"1500000000\n", b"")

    def test_the_environment_is_the_boxs_own(self):
        done = self.run_box("--env", "A=1", "--env", "HOME=/home", "--", BUSYBOX, "env")
        lines = done.stdout.decode().split("\n")
        self.assertIn("A=1", lines)
        self.assertIn("HOME=/home", lines)
        self.assertFalse([line for line in lines if line.startswith(("XDG_", "HOME=" + str(self.home.path)))], lines)

    def test_the_world_can_be_changed(self):
        self.assert_ends(self.run_box("--world", "hostname=build-7", "--", BUSYBOX, "hostname"), 0, b"build-7\n", b"")

    def test_what_the_server_has_is_not_sent_again(self):
        big = self.home.file("big", os.urandom(3 << 20))
        command = ("--file", f"{big}:/big", "--", BUSYBOX, "sha256sum", "/big")
        first, second = self.run_box(*command), self.run_box(*command)
        digest = hashlib.sha256(pathlib.Path(big).read_bytes()).hexdigest()
        for done in (first, second):
            self.assert_ends(done, 0, f"{digest}  /big\n".encode(), b"")


class Input(CliTest):
    def test_a_pipe_is_the_guests_input(self):
        self.assert_ends(self.run_box("--", BUSYBOX, "cat", data=b"one\ntwo\n"), 0, b"one\ntwo\n", b"")

    def test_a_file_is_the_guests_input(self):
        path = self.home.file("lines", b"b\na\n")
        with open(path, "rb") as file:
            self.assert_ends(self.run_box("--", BUSYBOX, "sort", stdin=file), 0, b"a\nb\n", b"")
        self.assert_ends(self.run_box("--stdin", path, "--", BUSYBOX, "sort"), 0, b"a\nb\n", b"")

    def test_much_input_comes_whole(self):
        data = os.urandom(5 << 20)
        done = self.run_box("--", BUSYBOX, "sha256sum", data=data)
        self.assert_ends(done, 0, hashlib.sha256(data).hexdigest().encode() + b"  -\n", b"")

    def test_no_input_is_an_end_at_once(self):
        self.assert_ends(self.run_box("--", BUSYBOX, "cat"), 0, b"", b"")
        self.assert_ends(self.run_box("--", BUSYBOX, "cat", preexec_fn=lambda: os.close(0)), 0, b"", b"")

    def test_input_that_nobody_reads_holds_nobody_up(self):
        process = self.home.start("run", "--", BUSYBOX, "head", "-n", "1", stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def feed():  # as `yes` does: until nobody listens
            try:
                while True:
                    os.write(process.stdin.fileno(), b"y\n" * 10_000)
            except BrokenPipeError:
                process.stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 0)
        feeder.join()
        self.assertEqual((process.stdout.read(), process.stderr.read()), (b"y\n", b""))
        for stream in (process.stdout, process.stderr):
            stream.close()

    def test_the_guest_answers_before_its_input_ends(self):
        script = "while read line; do echo got $line; done"
        process = self.home.start("run", "--", BUSYBOX, "sh", "-c", script, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, bufsize=0)
        # A read takes what it asks for or the end: ash asks for one byte at a time, so lines come through.
        for word in (b"one", b"two"):
            process.stdin.write(word + b"\n")
            self.assertEqual(self.read_line(process.stdout), b"got " + word + b"\n")
        process.stdin.close()
        self.assertEqual(process.wait(cli_harness.PATIENCE_S), 0)
        process.stdout.close()

    def test_a_terminal_is_empty_and_says_so(self):
        leader, follower = pty.openpty()
        try:
            done = self.run_box("--", BUSYBOX, "cat", stdin=follower)
        finally:
            os.close(leader)
            os.close(follower)
        self.assert_ends(done, 0, b"", ("-it gives it this terminal",))


class Traces(CliTest):
    def test_the_trace_comes_on_stderr_in_straces_form(self):
        done = self.run_box("--trace", "syscalls", "--", BUSYBOX, "echo", "hi")
        self.assert_ends(done, 0, b"hi\n", ('execve("/bin/busybox"', 'write(1, "hi\\n", 3) = 3'))
        for line in done.stderr.decode().splitlines():
            self.assertRegex(line, EVENT)

    def test_output_and_trace_come_in_the_guests_order(self):
        script = "i=0; while [ $i -lt 20 ]; do echo line$i; i=$((i+1)); done"
        together = self.home.files / "traced"
        with together.open("wb") as file:
            process = self.home.start("run", "--trace", "syscalls", "--", BUSYBOX, "sh", "-c", script,
                                      stdin=subprocess.DEVNULL, stdout=file, stderr=file)
            self.assertEqual(process.wait(cli_harness.PATIENCE_S), 0)
        lines = together.read_text().splitlines()
        for i in range(20):
            said = lines.index(f"line{i}")
            self.assertIn(f'write(1, "line{i}\\n"', lines[said - 1] + lines[said + 1])

    def test_the_trace_goes_to_a_file_when_asked(self):
        done = self.run_box("--trace", "syscalls", "--trace-output", "trace.txt", "--", BUSYBOX, "echo", "hi")
        self.assert_ends(done, 0, b"hi\n", b"")
        self.assertIn('write(1, "hi\\n", 3) = 3', (self.home.files / "trace.txt").read_text())


class Results(CliTest):
    def test_json_is_the_job_and_nothing_else(self):
        done = self.run_box("-o", "json", "--", BUSYBOX, "sh", "-c", "echo out; exit 4")
        self.assert_ends(done, 4, stderr=b"")
        job = json.loads(done.stdout)
        self.assertEqual((job["state"], job["result"]["termination"]["exited"]), ("SUCCEEDED", 4))
        self.assertEqual(job["result"]["outputBytes"], "4")
        self.assert_ends(self.run_cli("logs", job["name"]), 0, b"out\n", b"")

    def test_the_same_job_gives_the_same_result(self):
        script = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; echo $i $RANDOM"
        results = []
        for _ in range(2):
            done = self.run_box("-o", "json", "--seed", "7", "--", BUSYBOX, "sh", "-c", script)
            results.append(json.loads(done.stdout)["result"])
        for name in ("icount", "traceHash", "virtualTimeNs", "peakMemoryBytes", "syscalls"):
            self.assertEqual(results[0][name], results[1][name], name)
        self.assertRegex(results[0]["traceHash"], "^[0-9a-f]{32}$")

    def test_the_summary_is_on_stderr(self):
        done = self.run_box("--summary", "--", BUSYBOX, "echo", "hi")
        self.assert_ends(done, 0, b"hi\n", ("exited with status 0", "instructions:", "virtual time:", "peak memory:",
                                            "system calls:", "trace hash:"))


class BadInput(CliTest):
    def test_wrong_options_are_125_with_a_message(self):
        for words, text in (
                (("--bogus", "--", "x"), "--bogus"),
                ((), "CMD is missing"),
                (("--",), "CMD is missing"),
                (("--file", "nocolon", "x"), "SRC:DST"),
                (("--file", "/etc/passwd:/a/../b", "x"), "'..'"),
                (("--file", "absent:/b", "x"), "FILE_NOT_FOUND"),
                (("--file", "-:/b", "x"), "standard input"),
                (("--file", "/dev/null:/b", "x"), "NOT_A_FILE"),
                (("--limit", "mem=lots", "x"), "BAD_LIMIT"),
                (("--limit", "speed=1", "x"), "no such limit"),
                (("--seed", "many", "x"), "--seed"),
                (("--seed", "-1", "x"), "--seed: '-1' is no number"),
                (("--seed", "18446744073709551616", "x"), "--seed: '18446744073709551616' is no number"),
                (("--schedule", "fair", "x"), "round-robin,chaos"),
                (("--user", "4294967295", "x"), "--user"),
                (("--world", "moon=full", "x"), "no such row"),
                (("--world", "uid=-1", "--", BUSYBOX, "true"), "uid"),
                (("--trace", "dreams", "x"), "--trace"),
                (("--trace-output", "f", "x"), "--trace"),
                (("--trace", "syscalls", "--trace-output", "f", "-d", "x"), "--detach"),
                (("-o", "xml", "x"), "-o"),
                (("--server", "tcp:nowhere", "x"), "BAD_SERVER"),
                (("--server", f"unix:{self.home.path}/nobody", "x"), "no daemon answers"),
        ):
            with self.subTest(words=words):
                self.assert_ends(self.run_box(*words), 125, b"", ("glovebox: ", text))

    def test_too_many_arguments_are_refused_by_the_server(self):
        def more_room():  # execve(2): the size of arguments follows the limit of the stack
            resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))

        done = self.run_box("--", BUSYBOX, "echo", *["x" * 100_000] * 30, preexec_fn=more_room)
        self.assert_ends(done, 125, b"", ("ARGUMENTS_TOO_LARGE", "argv"))


if __name__ == "__main__":
    cli_harness.main()
