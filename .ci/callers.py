"""What the trials of callers share: their programs, from npm, and `cargo local`."""

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def install(name, dependencies, overrides):
    """The folder of the programs, below target. It stays there for the next run."""
    folder = ROOT / "target" / name
    folder.mkdir(parents=True, exist_ok=True)
    package = {"private": True, "dependencies": dependencies, "overrides": overrides}
    (folder / "package.json").write_text(json.dumps(package))
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True)
    return folder / "node_modules/.bin"


@contextlib.contextmanager
def endpoint(local, log, *arguments):
    """`cargo local` on free ports, with the key demo-key: its address. It writes into `log`."""
    with log.open("w") as output:
        command = [Path(local).resolve(), "--port", "0", "--s3-listen", "127.0.0.1:0", *arguments]
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        while not (running := re.search(r"running at (http://\S+)", log.read_text())):
            if server.poll() is not None:
                sys.exit(f"FAILED: {log.read_text()}")
            time.sleep(0.1)
        yield running[1]
    finally:
        server.terminate()
        server.wait()
