"""A person at a terminal of this machine, who runs `glovebox` there and types when she sees what she waits for."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios

import cli_harness
from cli_harness import PATIENCE_S

CLOSE_S = 10  # for a client to end its job; what it would leave behind only makes others wait


class Person:
    """A terminal of this machine with a command in it."""

    def __init__(self, home, *words, size=(24, 80)):
        self.screen, self.tty = pty.openpty()
        self.resize(*size)
        self.modes = termios.tcgetattr(self.tty)
        self.seen = b""
        self.process = subprocess.Popen(
            [cli_harness.BIN / "glovebox", *words], stdin=self.tty, stdout=self.tty, stderr=self.tty, close_fds=True,
            env={**home.environment, "TERM": "xterm"}, preexec_fn=self.take_terminal)

    def take_terminal(self):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.screen, text)

    def wait_for(self, text):
        """What is shown up to and with `text`; it counts as seen."""
        while text not in self.seen:
            ready, _, _ = select.select([self.screen], [], [], PATIENCE_S)
            assert ready, f"{text!r} did not come; on the screen is {self.seen!r}"
            try:
                piece = os.read(self.screen, 65536)
            except OSError as error:
                raise AssertionError(f"{text!r} did not come before the end: {self.seen!r}") from error
            assert piece, self.seen
            self.seen += piece
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def say(self, line, answer, end=b"\r"):
        """Types a line; returns what is shown up to `answer`, which must not be part of the line itself."""
        self.type(line + end)
        return self.wait_for(answer)

    def end(self):
        return self.process.wait(PATIENCE_S)

    def close(self):
        """Leaves; a client that still runs ends its job first, so that it keeps nothing busy that others wait for."""
        self.process.terminate()
        try:
            self.process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.screen)
        os.close(self.tty)
