"""`cargo local` as the person at the keyboard meets it."""

import os
import pty
import re
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import BINARY, KEY, Local

DONE = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"


class Terminal:
    """`cargo local` on a terminal."""

    def __init__(self, *arguments):
        self.screen, screen = pty.openpty()
        command = [BINARY, "--port", "0", "--s3-listen", "127.0.0.1:0", "--api-key", KEY, *arguments]
        self.process = subprocess.Popen(command, stdin=screen, stdout=screen, stderr=screen)
        os.close(screen)
        self.shown = ""

    def show(self, pattern):
        """Reads on until the terminal shows this; everything that it shows then."""
        while not re.search(pattern, self.shown):
            self.shown += os.read(self.screen, 65536).decode().replace("\r\n", "\n")  # fails once the process has ended
        return self.shown

    def stop(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.screen)


@pytest.fixture
def terminal():
    started = []

    def start(*arguments):
        started.append(Terminal(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def poll(banner, path="/v1/toolkit/job/status", job=DONE):
    base = banner.split("running at ")[1].split()[0]
    request = urllib.request.Request(base + path, f'{{"job_id":"{job}"}}'.encode(), {"x-api-key": KEY})
    try:
        urllib.request.urlopen(request).close()
    except urllib.error.HTTPError as error:
        error.close()


def test_a_terminal_shows_the_banner_and_then_one_short_line_for_each_request(terminal):
    local = terminal()
    banner = local.show(r"-X POST \S+/status\n")
    assert banner.startswith("The job-status endpoint is running at http://127.0.0.1:"), banner
    poll(banner)
    poll(banner, "/paid/get/job/status", "42")
    poll(banner, "/elsewhere")
    lines = local.show(r"unknown_path .*\n").removeprefix(banner).strip().splitlines()
    assert [line.rsplit("  ", 1)[0] for line in lines] == [
        f"200 done  job {DONE}",
        "400 bad_request",
        "404 unknown_path",
    ]


def test_json_can_be_had_on_a_terminal_too(terminal):
    local = terminal("--json")
    poll(local.show('"event":"started"'))
    assert '"outcome":"done"' in local.show('"message":"request"')


def test_sigterm_leaves_no_temporary_directory(tmp_path):
    (tmp_path / "temporary").mkdir()
    local = Local(tmp_path / "log", "--s3-listen", "127.0.0.1:0", env={"TMPDIR": str(tmp_path / "temporary")})
    assert len(os.listdir(tmp_path / "temporary")) in (1, 2)  # S3's, and the job to watch's once it is at work
    local.process.send_signal(signal.SIGTERM)
    assert local.process.wait() == 0
    assert os.listdir(tmp_path / "temporary") == []
    assert (tmp_path / "log").read_text().endswith("\nstopped\n")
