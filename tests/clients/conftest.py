"""The server under test: the binary of `cargo local`, over a directory of status files."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEY = "key of the tests"
PATIENCE_SECONDS = 30
BINARY = Path(os.environ.get("LOCAL_BINARY", ROOT / "target/debug/local"))


def pytest_collection_modifyitems(items):
    """Schemathesis first: it takes as long as all the others together."""
    items.sort(key=lambda item: item.path.name != "test_schemathesis.py")


class Local:
    """`cargo local` on free ports; `url` is the endpoint's."""

    def __init__(self, log: Path, *arguments: str, env: dict[str, str] | None = None):
        assert BINARY.is_file(), f"{BINARY} is not there: cargo build, or set LOCAL_BINARY"
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [BINARY, "--port", "0", "--api-key", KEY, *arguments], stdout=output, stderr=output, env=env
            )
        self.base = self.wait_for_line(r"running at (http://\S+)")[1]
        self.url = f"{self.base}/v1/toolkit/job/status"

    def wait_for_line(self, pattern: str) -> re.Match:
        """Waits until the server has printed this."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not (found := re.search(pattern, self.log.read_text())):
            assert self.process.poll() is None and time.monotonic() < give_up, self.log.read_text()
            time.sleep(0.02)
        return found

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()


class Jobs:
    """The directory that status files are written to."""

    def __init__(self, directory: Path):
        self.directory = directory

    def write(self, job_id: str, status: dict | str | bytes, age: float = 0):
        """Puts a status file there in one step, as old as `age` seconds."""
        if isinstance(status, dict):
            status = json.dumps(status)
        path = self.directory / f"{job_id}.json"
        new = path.with_suffix(".new")
        new.write_bytes(status.encode() if isinstance(status, str) else status)
        written = time.time() - age
        os.utime(new, (written, written))
        new.replace(path)


@pytest.fixture(scope="session")
def jobs(tmp_path_factory):
    return Jobs(tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="session")
def local(tmp_path_factory, jobs):
    """`cargo local` over that directory."""
    log = tmp_path_factory.mktemp("local") / "log"
    server = Local(log, "--s3-listen", "127.0.0.1:0", "--jobs", str(jobs.directory))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """`cargo local` over its own samples."""
    server = Local(tmp_path_factory.mktemp("samples") / "log", "--s3-listen", "127.0.0.1:0")
    yield server
    server.stop()
