"""Replays events/ through AWS's own Runtime Interface Emulator, with moto as the S3 behind the function.

    python .ci/replay.py BINARY [--log FILE]

Every answer is held to the table in events/README.md: once with the keyring in the environment, once with the keyring
in S3, and once with many invocations at a time, for which the emulator has the core of Lambda Managed Instances; it
runs nothing but /var/task/bootstrap, so the binary is linked there meanwhile, which takes root. Emulator and S3 are
others' work, so a misreading of Lambda or S3 in this repository's own test servers shows here. With --log, the JSON
lines that the function printed are appended to FILE.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import logging
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qsl, unquote_plus

import boto3
import samcli
from moto.server import ThreadedMotoServer

ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
EMULATOR = Path(samcli.__file__).parent / f"local/rapid/aws-lambda-rie-{ARCHITECTURE}"
ROOT = Path(__file__).resolve().parents[1]
JOB_FILES = (file.read_bytes().decode() for file in ROOT.glob("crates/local/jobs/*.json"))
JOBS = {json.loads(text)["job_id"]: text for text in JOB_FILES}
KEYRING = json.loads((ROOT / "events/env.json").read_text())["Parameters"]["API_KEYS"]
AT_ONCE = 8
VARIATIONS = {
    "keyring in the environment": {"API_KEYS": KEYRING},
    "keyring in S3": {"API_KEYS": "s3://config/keyring.json"},
    f"{AT_ONCE} at once": {"API_KEYS": KEYRING, "AWS_LAMBDA_MAX_CONCURRENCY": str(AT_ONCE)},
}
ENVIRONMENT = {
    "JOBS_BUCKET": "jobs",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",  # read by the emulator; the rest of what Lambda sets, it sets itself
}

OF_A_BODY = {"content-type": "application/json", "x-content-type-options": "nosniff"}
ENVELOPE = (
    r'\{"endpoint":"/v1/toolkit/job/status","code":200,"id":%s,"job_id":"%s","response":%s,"message":"success",'
    r'"pid":\d+,"queue_id":\d+,"run_time":(\d+\.\d{3}),"queue_time":0\.0,"total_time":\1,"queue_length":0,'
    r'"build_number":"%s"\}'
)
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]


def documented():
    """The table's rows: the event's name, its status, its body."""
    row = re.compile(r"^\| \[`(.+?)`\]\(.+?\) \| .+? \| (\d{3}) \| (.+) \|$", re.MULTILINE)
    rows = row.findall((ROOT / "events/README.md").read_text())
    files = {file.stem for file in ROOT.glob("events/*.json")} - {"env"}
    if {name for name, _, _ in rows} != files:
        sys.exit("the table in events/README.md does not list the files of events/")
    return [(name, int(status), body) for name, status, body in rows]


def method(event):
    return event.get("httpMethod") or event["requestContext"]["http"]["method"]


def asked(event):
    """The members of an event's body, or the parameters of its query string."""
    if method(event) == "POST":
        sent = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"]
        return json.loads(sent)
    if "rawQueryString" in event:
        return dict(parse_qsl(event["rawQueryString"]))
    encoded = "elb" in event["requestContext"]
    return {name: unquote_plus(value) if encoded else value for name, value in event["queryStringParameters"].items()}


def expected(event, status, body):
    """The headers of a row's answer, and a pattern that its whole body matches."""
    headers = {"cache-control": "private, no-cache" if method(event) == "GET" else "no-store"}
    if status not in (200, 304):
        return headers | OF_A_BODY, re.escape(body.strip("`"))
    request = asked(event)
    file = JOBS[request["job_id"]]
    state = json.loads(file)["job_status"]
    headers["etag"] = f'W/"{hashlib.md5(file.encode()).hexdigest()}"'
    # The file was written moments ago, so the next poll may come soonest.
    unfinished = state in ("queued", "running", "submitted")
    headers |= {"retry-after": "1"} if unfinished else {}
    headers["x-job-outcome"] = "unfinished" if unfinished else state  # each sample that failed says so
    if status == 304:
        return headers, ""
    if state != body.split("`")[3]:
        return headers, f"(no body: the job's file says {state})"
    values = [json.dumps(request.get("id")), request["job_id"], file, VERSION]
    return headers | OF_A_BODY, ENVELOPE % tuple(map(re.escape, values))


def is_recent(date):
    """Whether an HTTP date is that of a file written by this program."""
    return date is not None and 0 <= time.time() - parsedate_to_datetime(date).timestamp() < 600


def invoke(port, event):
    """The function's answer. While no place is idle, the emulator refuses, as Lambda would: then the event is sent again."""
    for _ in range(100):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
        text = connection.getresponse().read()
        try:
            answer = json.loads(text)
        except json.JSONDecodeError:
            return {"no JSON": text}  # a function that could not start, or timed out
        if answer.get("errorType") != "Runtime.Unavailable":
            break
        time.sleep(0.01)
    return answer


def replay(port, at_once, report):
    """Sends every event; the request id and the status of each answer."""
    answers = []
    rows = documented()
    events = [json.loads((ROOT / f"events/{name}.json").read_text()) for name, _, _ in rows]
    with ThreadPoolExecutor(at_once) as callers:
        given = callers.map(lambda event: invoke(port, event), events)
    for (name, status, body), event, answer in zip(rows, events, given, strict=True):
        # An answer is without these members when the invocation failed.
        got_status, got_headers, got_body = (answer.get(member) for member in ("statusCode", "headers", "body"))
        request_id = (got_headers or {}).pop("x-request-id", None)
        answers.append((request_id, got_status))
        headers, pattern = expected(event, status, body)
        dated = is_recent((got_headers or {}).pop("last-modified", None)) == ("etag" in headers)
        passed = dated and got_status == status and got_headers == headers and re.fullmatch(pattern, got_body or "")
        report(name, passed, f"expected {status} {headers} {pattern}\n     answered {answer}")
    return answers


@contextlib.contextmanager
def s3():
    """A moto server with the jobs and the keyring; its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    anyone = {"region_name": "us-east-1", "aws_access_key_id": "any", "aws_secret_access_key": "any"}
    client = boto3.client("s3", endpoint_url=address, **anyone)
    client.create_bucket(Bucket="jobs")
    client.create_bucket(Bucket="config")
    client.put_object(Bucket="config", Key="keyring.json", Body=KEYRING)
    for job_id, text in JOBS.items():
        client.put_object(Bucket="jobs", Key=f"{job_id}.json", Body=text)
    try:
        yield address
    finally:
        server.stop()


@contextlib.contextmanager
def installed(binary):
    """The binary where Lambda has it."""
    task = Path("/var/task")
    made = not task.exists()
    task.mkdir(exist_ok=True)
    (task / "bootstrap").symlink_to(binary)
    try:
        yield
    finally:
        (task / "bootstrap").unlink()
        if made:
            task.rmdir()


@contextlib.contextmanager
def emulator(binary, environment, output):
    """The emulator around the function, which prints to `output`; the port that takes invocations."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, runtime_api = one.getsockname()[1], other.getsockname()[1]
    process = subprocess.Popen(
        [EMULATOR, "--log-level", "error", "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
        + ["--runtime-api-address", f"127.0.0.1:{runtime_api}", binary],
        env=environment,  # and nothing of this process's own: an AWS_CA_BUNDLE or a region would reach the function
        stdout=output,
    )
    try:
        wait_until_it_listens(port, process)
        yield port
    finally:
        process.terminate()  # ends the function as well
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until_it_listens(port, process):
    for _ in range(500):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                sys.exit(f"the emulator ended with {process.wait(timeout=0.02)}")
    sys.exit("the emulator does not listen")


def lines_of(output):
    """What the function printed, as far as it is JSON objects: the emulator's own lines are not."""
    output.seek(0)
    for line in output.read().splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            if isinstance(parsed := json.loads(line), dict):
                yield line, parsed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--log", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that nothing is left running then either

    results = []

    def report(name, passed, otherwise):
        results.append(bool(passed))
        print(f"ok   {name}" if passed else f"FAIL {name}\n     {otherwise}")

    for title, variation in VARIATIONS.items():
        print(f"{title}:")
        with tempfile.TemporaryFile("w+") as output:
            try:
                with s3() as address, installed(arguments.binary.resolve()):
                    environment = ENVIRONMENT | variation | {"AWS_ENDPOINT_URL_S3": address}
                    at_once = int(variation.get("AWS_LAMBDA_MAX_CONCURRENCY", 1))
                    with emulator(arguments.binary.resolve(), environment, output) as port:
                        answers = replay(port, at_once, report)
                lines = list(lines_of(output))
                logged = [(line["request_id"], line["status"]) for _, line in lines if "outcome" in line]
                same = sorted(logged) == sorted(answers) if at_once > 1 else logged == answers
                report("one log line for each answer", same, f"logged {logged}\n     answered {answers}")
            finally:
                if sys.exception() or not all(results):
                    output.seek(0)
                    print(output.read())
            if arguments.log:
                with arguments.log.open("a") as log:
                    log.writelines(f"{text}\n" for text, _ in lines)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
