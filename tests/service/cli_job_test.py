#!/usr/bin/env python3
"""The verbs about jobs, logs and traces against a real daemon."""
import json
import subprocess

import cli_harness
from cli_harness import BUSYBOX, CliTest

SPIN = "echo ready; while :; do :; done"


class Jobs(CliTest):
    def submit(self, script, *options):
        done = self.run_cli("job", "submit", *options, "--", BUSYBOX, "sh", "-c", script)
        self.assertEqual(done.returncode, 0, done.stderr)
        name = done.stdout.decode().strip()
        self.assertRegex(name, "^jobs/[0-9A-HJKMNP-TV-Z]{26}$")
        return name

    def wait_until_ready(self, name):
        process = self.home.start("logs", "-f", name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
        self.assertEqual(self.read_line(process.stdout), b"ready\n")
        process.kill()
        process.wait()
        process.stdout.close()

    def test_a_submitted_job_is_waited_for_and_its_output_is_there(self):
        name = self.submit("echo out; echo err >&2; exit 7")
        self.assert_ends(self.run_cli("job", "wait", name), 7, b"exited with status 7\n", b"")
        self.assert_ends(self.run_cli("logs", name), 0, b"out\n", b"err\n")
        self.assert_ends(self.run_cli("logs", "--offset", "4", name), 0, b"", b"err\n")
        self.assert_ends(self.run_cli("job", "wait", "-q", name), 7, b"", b"")

    def test_a_job_is_named_with_or_without_jobs_and_by_its_beginning(self):
        name = self.submit("exit 0")
        self.run_cli("job", "wait", name)
        identity = name.removeprefix("jobs/")
        for text in (name, identity, identity.lower(), identity[:25]):
            shown = json.loads(self.run_cli("job", "show", text, "-o", "json").stdout)
            self.assertEqual(shown["name"], name)

    def test_a_beginning_of_several_jobs_is_refused(self):
        first, second = self.submit("exit 0"), self.submit("exit 0")
        self.assert_ends(self.run_cli("job", "show", "0"), 1, b"", ("AMBIGUOUS_JOB",))
        for name in (first, second):
            self.run_cli("job", "wait", name)

    def test_jobs_are_listed_newest_first_and_by_state(self):
        old, new = self.submit("exit 0"), self.submit("exit 1")
        for name in (old, new):
            self.run_cli("job", "wait", name)
        listed = [job["name"] for job in self.json_of("job", "ls", "--all")["jobs"]]
        self.assertLess(listed.index(new), listed.index(old))
        ids = self.run_cli("job", "ls", "--ids", "--state", "succeeded", "-n", "2").stdout.decode().split()
        self.assertEqual(["jobs/" + ids[0], "jobs/" + ids[1]], [new, old])
        text = self.run_cli("job", "ls", "-n", "1").stdout.decode()
        self.assertIn("JOB", text.splitlines()[0])
        self.assertIn("exited with status 1", text.splitlines()[1])
        self.assertIn("older ones", text)
        self.assertEqual(self.json_of("job", "ls", "--state", "failed")["jobs"], [])

    def test_show_tells_all_about_a_job(self):
        name = self.submit("echo $A", "--label", "build=17", "--env", "A=b", "--limit", "insns=5M", "--seed", "3",
                           "--cwd", "/tmp")
        self.run_cli("job", "wait", name)
        text = self.run_cli("job", "show", name).stdout.decode()
        for part in ("build=17", "A=b", "insns=5000000", "/tmp", "SUCCEEDED", "exited with status 0", "trace hash",
                     "seccomp"):
            self.assertIn(part, text)
        job = self.json_of("job", "show", name)
        self.assertEqual((job["spec"]["seed"], job["spec"]["labels"]), ("3", {"build": "17"}))

    def test_watch_prints_the_states_in_order(self):
        name = self.submit("exit 0")
        done = self.run_cli("job", "watch", name, "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([int(event["sequence"]) for event in events], list(range(1, len(events) + 1)))
        self.assertEqual([event["state"] for event in events],
                         ["QUEUED", "PREPARING", "RUNNING", "FINALIZING", "SUCCEEDED"])
        self.assertIn(b"SUCCEEDED", self.run_cli("job", "watch", name).stdout)

    def test_logs_follow_a_job_to_its_end(self):
        name = self.submit("i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); done")
        self.assert_ends(self.run_cli("logs", "-f", name), 0, "".join(f"{i}\n" for i in range(1000)).encode(), b"")

    def test_logs_in_json_are_a_document_a_line(self):
        name = self.submit("echo hello")
        self.run_cli("job", "wait", name)
        chunks = [json.loads(line) for line in self.run_cli("logs", name, "-o", "json").stdout.splitlines()]
        self.assertEqual([(chunk["stream"], chunk["data"]) for chunk in chunks], [("STDOUT", "aGVsbG8K")])

    def test_a_running_job_is_cancelled(self):
        name = self.submit(SPIN)
        self.wait_until_ready(name)
        self.assert_ends(self.run_cli("job", "wait", "--timeout", "1", name), 125, b"", ("still RUNNING",))
        self.assert_ends(self.run_cli("job", "rm", name), 1, b"", ("JOB_NOT_ENDED",))
        self.assert_ends(self.run_cli("job", "cancel", name, "--reason", "enough"), 0, b"", b"")
        self.assert_ends(self.run_cli("job", "wait", name), 125, b"cancelled\n", b"")
        self.assertIn(b"enough", self.run_cli("job", "watch", name).stdout)
        job = self.json_of("job", "show", name)
        self.assertGreater(int(job["result"]["icount"]), 0)

    def test_a_deleted_job_is_gone(self):
        name = self.submit("exit 0")
        self.run_cli("job", "wait", name)
        self.assert_ends(self.run_cli("job", "rm", name), 0, b"", b"")
        for words in (("job", "show"), ("job", "rm"), ("job", "wait"), ("job", "cancel"), ("job", "watch"), ("logs",),
                      ("trace",)):
            with self.subTest(words=words):
                done = self.run_cli(*words, name)
                self.assertIn(done.returncode, (1, 125))
                self.assertIn("JOB_NOT_FOUND", done.stderr.decode())

    def test_a_trace_is_kept_and_printed(self):
        name = self.submit("echo hi", "--trace", "syscalls")
        followed = self.run_cli("trace", "-f", name)
        self.assert_ends(followed, 0, stderr=b"")
        self.assertIn(b'write(1, "hi\\n", 3) = 3\n', followed.stdout)
        self.assertEqual(self.run_cli("trace", name).stdout, followed.stdout)
        events = [json.loads(line) for line in self.run_cli("trace", name, "-o", "json").stdout.splitlines()]
        self.assertEqual([int(event["sequence"]) for event in events], list(range(1, len(events) + 1)))
        counts = [int(event["icount"]) for event in events]
        self.assertEqual(counts, sorted(counts))

    def test_a_job_without_a_trace_says_so(self):
        name = self.submit("exit 0")
        self.run_cli("job", "wait", name)
        self.assert_ends(self.run_cli("trace", name), 1, b"", ("NO_TRACE",))

    def test_a_detached_run_goes_on_alone(self):
        done = self.run_box("--detach", "--", BUSYBOX, "sh", "-c", "echo alone; exit 2")
        self.assert_ends(done, 0, stderr=b"")
        name = done.stdout.decode().strip()
        self.assert_ends(self.run_cli("job", "wait", name), 2, stderr=b"")
        self.assert_ends(self.run_cli("logs", name), 0, b"alone\n", b"")

    def test_a_submitted_job_takes_a_file_as_input(self):
        path = self.home.file("input", b"c\nb\na\n")
        name = self.run_cli("job", "submit", "--stdin", path, "--", BUSYBOX, "sort").stdout.decode().strip()
        self.run_cli("job", "wait", name)
        self.assert_ends(self.run_cli("logs", name), 0, b"a\nb\nc\n", b"")

    def test_wrong_names_and_options_are_refused(self):
        for words, status, text in (
                (("job", "show", "not a job"), 1, "BAD_JOB_NAME"),
                (("job", "show", "7ZZZZZZ"), 1, "JOB_NOT_FOUND"),
                (("job", "show"), 2, "JOB is required"),
                (("job", "ls", "--state", "asleep"), 1, "--state 'asleep'"),
                (("job", "dance"), 2, "dance"),
                (("job",), 2, "subcommand"),
                (("dance",), 2, "dance"),
                (("logs", "--offset", "x", "0"), 2, "--offset"),
                (("logs", "--offset", "-1", "0"), 2, "--offset"),
                (("job", "ls", "--count", "-1"), 2, "--count"),
                (("gdb", "--at", "-1", "0"), 2, "--at"), (("core", "--at", "-1", "0"), 2, "--at"),
                (("job", "wait", "--timeout", "1s", "0"), 125, "--timeout"),
                (("job", "submit"), 1, "CMD is missing"),
        ):
            with self.subTest(words=words):
                self.assert_ends(self.run_cli(*words), status, b"", (text,))


class Views(CliTest):
    def test_the_world_is_a_table(self):
        text = self.run_cli("world").stdout.decode()
        self.assertIn("hostname = glovebox  (--world)", text)
        rows = {row["name"]: row for row in self.json_of("world")["world"]}
        self.assertTrue(rows["hostname"]["overridable"])
        self.assertFalse(rows["cpus"]["overridable"])

    def test_health_and_version_tell_of_the_daemon(self):
        self.assert_ends(self.run_box("--", BUSYBOX, "true"), 0, b"", b"")
        self.assert_ends(self.run_cli("health"), 0, stderr=b"")
        self.assertIn(b"SERVING", self.run_cli("health").stdout)
        info = self.json_of("version")
        self.assertGreaterEqual(int(info["epoch"]), 1)
        self.assertIn(info["version"].encode(), self.run_cli("version").stdout)

    def test_help_is_everywhere_with_an_example(self):
        help_text = self.run_cli("--help").stdout.decode()
        verbs = [["run"], ["logs"], ["trace"], ["world"], ["health"], ["version"]]
        verbs += [["job", verb] for verb in ("submit", "ls", "show", "wait", "watch", "cancel", "rm")]
        for verb in verbs:
            done = self.run_cli(*verb, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("Example", done.stdout.decode(), verb)
            if len(verb) == 1:
                self.assertIn(verb[0], help_text)


if __name__ == "__main__":
    cli_harness.main()
