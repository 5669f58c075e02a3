"""The companion command against moto's S3: `jobs keys` and `jobs set` by twenty at once, `jobs run` to its two ends,
`jobs publish` before and after a restart, and `jobs list` of what it published.

    python .ci/companion.py JOBS

moto honours `If-Match` and `If-None-Match` on PUT: 412 for another ETag or an object that is there, 404 for one that
is gone. Its server has threads, and looks first and writes later; so here it answers one request after the other,
which makes a write one step, as it is in S3.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

AT_ONCE = 20
RING = "s3://jobs/config/keyring.json"


class Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        pass


def serve():
    """moto, one request at a time; its address."""
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=False, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def main():
    program, address = str(Path(sys.argv[1]).resolve()), serve()
    own = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
    environment = {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL_S3": address} | own
    anyone = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=address, **anyone)
    s3.create_bucket(Bucket="jobs")

    def start(*arguments):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([program, *arguments], env=environment, text=True, **pipes)

    def end(process, given=""):
        output, errors = process.communicate(given, timeout=120)
        assert process.returncode == 0, errors
        return output, errors

    def is_refused(code, **condition):
        try:
            s3.put_object(Bucket="jobs", Key="conditions", Body=b"", **condition)
        except ClientError as error:
            return error.response["Error"]["Code"] == code
        return False

    assert is_refused("NoSuchKey", IfMatch='"0"'), "moto writes what is gone"
    s3.put_object(Bucket="jobs", Key="conditions", Body=b"", IfNoneMatch="*")
    assert is_refused("PreconditionFailed", IfNoneMatch="*"), "moto ignores If-None-Match"
    assert is_refused("PreconditionFailed", IfMatch='"0"'), "moto ignores If-Match"
    print("moto honours If-Match and If-None-Match on PUT")

    adding = [start("keys", "add", f"key-{number}", "--create", "--ring", RING) for number in range(AT_ONCE)]
    keys = [end(process)[0] for process in adding]
    listed = json.loads(end(start("keys", "list", "--json", "--ring", RING))[0])
    assert sorted(entry["name"] for entry in listed) == sorted(f"key-{number}" for number in range(AT_ONCE)), listed
    for number, key in enumerate(keys):
        whose = json.loads(end(start("keys", "whose", "--json", "--ring", RING), key)[0])
        assert whose["name"] == f"key-{number}", whose
    print(f"{AT_ONCE} keys added at once are {len(listed)} keys")

    def status(job):
        return json.loads(s3.get_object(Bucket="jobs", Key=f"jobs/{job}.json")["Body"].read())

    failed, at = str(uuid.uuid4()), ("--store", "s3://jobs/jobs/")
    setting = [start("set", failed, "done" if number == 7 else "running", *at) for number in range(AT_ONCE)]
    refused = sum(process.wait(timeout=120) for process in setting)
    assert status(failed)["job_status"] == "done", status(failed)
    print(f"done is the last of {AT_ONCE} states set at once; {refused} came after it")

    command = 'cat > "$0"; echo half > "$JOBS_PROGRESS"; sleep 2; exit "$1"'
    with tempfile.TemporaryDirectory() as directory:
        result = str(Path(directory, "result.json"))
        options = (*at, "--result", result, "--heartbeat", "1s")
        end(start("run", failed, *options, "--", "sh", "-c", command, result, "0"), '{"frames": 12}')
        assert status(failed)["response"]["response"] == {"frames": 12}, status(failed)
        failing = start("run", failed, *options, "--", "sh", "-c", command, result, "3")
        failing.communicate("", timeout=120)
        outcome = failing.returncode, status(failed)["job_status"], status(failed)["response"]["message"]
        assert outcome == (3, "failed", "exit code 3"), outcome
    print("a command that runs is done with its result, or failed with its exit code")

    with tempfile.TemporaryDirectory() as directory:

        def write(job, state):
            Path(directory, f"{job}.json").write_text(json.dumps({"job_status": state}, indent=2))

        def publish():
            _, log = end(start("publish", directory, "s3://jobs/jobs/", "--once"))
            (summary,) = (line for line in map(json.loads, log.splitlines()) if line["event"] == "summary")
            return summary["published"], summary["unchanged"]

        jobs = [str(uuid.uuid4()) for _ in range(50)]
        for job in jobs:
            write(job, "running")
        first = publish()
        write(jobs[0], "done")
        again = publish()
        assert (first, again) == ((50, 0), (1, 49)), (first, again)
        for job in jobs:
            stored = s3.get_object(Bucket="jobs", Key=f"jobs/{job}.json")
            assert stored["ContentType"] == "application/json"
            assert stored["Body"].read() == Path(directory, f"{job}.json").read_bytes()
    print("a first start publishes 50 files, the next one the 1 that has changed")

    rows = json.loads(end(start("list", "--json", "--limit", "100", "--store", "s3://jobs/jobs/"))[0])
    outcomes = {row["job_id"]: row["outcome"] for row in rows}
    assert outcomes == {job: "unfinished" for job in jobs} | {jobs[0]: "done", failed: "failed"}, rows
    print("they are listed, that one as done, and the failed one")


if __name__ == "__main__":
    main()
