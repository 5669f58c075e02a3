"""What people see and press in a console of Windows: wine's, in a terminal of this machine.

    python .ci/console.py FOLDER      with jobs.exe and local.exe

`cargo local` prints its banner and ends at Ctrl-C. `jobs wait` has one line that changes. `jobs publish` locks its
directory, sends a file, and at Ctrl-C leaves nothing of its own behind.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

RUNNING = "22222222-2222-4222-8222-222222222222"
OTHER = "88888888-8888-4888-8888-888888888888"
PATIENCE = 60


class Console:
    """A program in a terminal of its own, 160 characters wide."""

    def __init__(self, program, *arguments):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvp("wine", ["wine", program, *arguments])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        self.shown = ""

    def shows(self, pattern):
        """Reads until this is shown; the match."""
        end = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.shown)):
            assert select.select([self.terminal], [], [], max(end - time.monotonic(), 0))[0], (pattern, self.shown)
            try:
                self.shown += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:  # it has ended
                raise AssertionError((pattern, self.shown)) from None
        return match

    def ctrl_c(self):
        os.write(self.terminal, b"\x03")

    def ends(self):
        """Its exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def main():
    jobs, local = (str(Path(sys.argv[1], name)) for name in ("jobs.exe", "local.exe"))
    server = Console(local, "--port", "0", "--s3-listen", "127.0.0.1:0")
    url = server.shows(r"running at (http://[\d.:]+)")[1]
    os.environ |= {
        "AWS_ENDPOINT_URL_S3": server.shows(r"S3 +(http://[\d.:]+)")[1],
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local-secret",
        "JOBS_API_KEY": "demo-key",
    }
    server.shows("no such path: 404")
    print("cargo local shows its banner")

    waiting = Console(jobs, "wait", "--url", url, "--timeout", "3s", RUNNING)
    waiting.shows(r"running, written .*, next poll in \d+s")
    assert waiting.ends() == 3, waiting.shown
    print("jobs wait shows a line, and times out")

    with tempfile.TemporaryDirectory(prefix="Aufträge für ") as directory:
        Path(directory, f"{OTHER}.json").write_text('{"job_status":"done"}')
        publisher = Console(jobs, "publish", directory, "s3://jobs/")
        publisher.shows('"event":"published"')
        assert sorted(os.listdir(directory)) == [".jobs-publish.lock", f"{OTHER}.json"]
        publisher.ctrl_c()
        publisher.shows('"event":"stopped","pending":0')
        assert publisher.ends() == 0, publisher.shown
        assert os.listdir(directory) == [f"{OTHER}.json"]
    asking = Console(jobs, "status", "--url", url, OTHER)
    asking.shows('"job_status": "done"')
    assert asking.ends() == 0, asking.shown
    print("jobs publish sends a file and ends at Ctrl-C; jobs status finds it")

    server.ctrl_c()
    server.shows("stopped")
    assert server.ends() == 0, server.shown
    print("cargo local ends at Ctrl-C")


if __name__ == "__main__":
    main()
