"""docs/n8n/wait-for-job.json in the real n8n, which asks `cargo local`: each end that a job can have.

    python3 .ci/n8n.py LOCAL_BINARY

Needs npm. The first run installs n8n in target/n8n: minutes, and 3 GB. What n8n itself depends on is not pinned: a lock
would have tens of thousands of lines.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from callers import ROOT, endpoint, install

FILE = ROOT / "docs/n8n/wait-for-job.json"
DEPENDENCIES = {"n8n": "2.20.0", "node": "24.21.0"}
OVERRIDES = {"xlsx": "0.18.5"}  # n8n wants one that the registry does not have
CREDENTIALS = [
    {"id": name, "name": name, "type": "httpHeaderAuth", "data": {"name": "x-api-key", "value": key}}
    for name, key in (("Job status key", "demo-key"), ("Another key", "wrong"))
]
KEY, ANOTHER = (credential["name"] for credential in CREDENTIALS)
APPEARS, PAUSED, RUNNING, FAILED, UNKNOWN = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "12345")
FILES = {
    PAUSED: {"job_status": "paused"},
    RUNNING: {"job_status": "running"},
    FAILED: {"job_status": "done", "response": {"code": 500, "message": "no audio"}},
}
# The job, after how many seconds n8n gives up, the credential, and what it says in the end.
CASES = {
    "appears": (APPEARS, 90, KEY, '"json": { "job_status": "done", "response": { "response": "captions" } }'),
    "failed": (FAILED, 90, KEY, 'The job failed: "no audio"'),
    "other": (PAUSED, 90, KEY, "The job ended in a state of its worker's own: paused"),
    "running": (RUNNING, 4, KEY, "The job is not over after 4 seconds."),
    "unknown": (UNKNOWN, 90, KEY, "HTTP 404: Job not found"),
    "refused": (RUNNING, 90, ANOTHER, "HTTP 401: Unauthorized: send a valid API key in the x-api-key header"),
}


def workflow(name, url):
    """The workflow as somebody has it who edited its node `Job`, and chose a credential."""
    job_id, give_up_seconds, credential, _ = CASES[name]
    made = json.loads(FILE.read_text()) | {"id": name, "name": name}
    nodes = {node["name"]: node for node in made["nodes"]}
    edited = {"url": url, "job_id": job_id, "give_up_seconds": give_up_seconds}
    for field in nodes["Job"]["parameters"]["assignments"]["assignments"]:
        field["value"] = edited.get(field["name"], field["value"])
    nodes["Ask"]["credentials"]["httpHeaderAuth"]["name"] = credential
    return made


def work(jobs, log):
    """Writes a job's file after the first poll, and its result after the third."""
    done = {"job_status": "done", "response": {"response": "captions"}}
    with contextlib.suppress(FileNotFoundError):  # the trial has failed, and removed its folder
        for polls, file in (1, {"job_status": "running"}), (3, done):
            while log.read_text().count(f'"job_id":"{APPEARS}"') < polls:
                time.sleep(0.1)
            write(jobs, APPEARS, file)


def write(jobs, job_id, file):
    new = jobs / "new"
    new.write_text(json.dumps(file))
    new.replace(jobs / f"{job_id}.json")


def n8n(programs, folder, *arguments):
    """What n8n prints, on one line. What it keeps is in the folder."""
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",  # with the Node.js that n8n needs
        "N8N_USER_FOLDER": str(folder),
        "N8N_ENCRYPTION_KEY": "any",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run([programs / "n8n", *arguments], env=environment, timeout=300, **pipes)
    return " ".join(done.stdout.split())


def try_all(programs, folder, url):
    (folder / "credentials.json").write_text(json.dumps(CREDENTIALS))
    (folder / "workflows.json").write_text(json.dumps([workflow(name, url) for name in CASES]))
    for command, file in ("import:credentials", "credentials.json"), ("import:workflow", "workflows.json"):
        printed = n8n(programs, folder, command, f"--input={folder / file}")
        if "Successfully imported" not in printed:
            sys.exit(f"FAILED: {command}: {printed[-1000:]}")
    for name, (*_, expected) in CASES.items():
        printed = n8n(programs, folder, "execute", f"--id={name}")
        if expected not in printed:
            sys.exit(f"FAILED: {name}: no {expected} in {printed[-1000:]}")
        print(f"{name}: {expected}")


def main():
    _, local = sys.argv
    programs = install("n8n", DEPENDENCIES, OVERRIDES)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        jobs, log = folder / "jobs", folder / "log"
        jobs.mkdir()
        for job_id, file in FILES.items():
            write(jobs, job_id, file)
        with endpoint(local, log, "--jobs", jobs) as base:
            threading.Thread(target=work, args=(jobs, log), daemon=True).start()
            try_all(programs, folder, f"{base}/v1/toolkit/job/status")


if __name__ == "__main__":
    main()
