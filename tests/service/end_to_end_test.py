"""Real programs, the whole path: `glovebox run` through a daemon and its locked workers gives what Linux gives, byte for byte.

The cases are those of tests/guests/busybox_cases.json that say so.
usage: end_to_end_test.py BIN [unittest options]
"""
import concurrent.futures
import pathlib
import sys
import tempfile
import unittest

import cli_harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "guests"))
import guest_cases  # noqa: E402  the line above makes it importable

AT_ONCE = 2


def through_daemon(home, case):
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        files = [f"--file={root / path}:{guest_cases.DIRECTORY}/{path}" for path in case.write_files(root)]
        done = home.call("run", "--cwd", guest_cases.DIRECTORY, *files, "--", *case.argv, data=case.stdin())
    outcome = guest_cases.Outcome(done.returncode, done.stdout, done.stderr)
    return guest_cases.without_note(outcome, rb"glovebox: [^\n]*killed by signal \d+ [^\n]*")


def compare(home, case):
    return guest_cases.difference(case.name, guest_cases.natively(case), through_daemon(home, case))


class EndToEnd(unittest.TestCase):

    def test_programs_do_what_they_do_on_linux(self):
        home = cli_harness.Home()
        self.addCleanup(home.close)
        cases = [case for case in guest_cases.load() if case.daemon]
        self.assertGreaterEqual(len(cases), 30)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for case, text in zip(cases, pool.map(lambda case: compare(home, case), cases)):
                with self.subTest(case=case.name):
                    self.assertEqual(text, "")


if __name__ == "__main__":
    cli_harness.main()
