"""What `sam local` answers, held to the table in events/README.md: the faults that are found.

`invoke` takes every event, `start-api` every request that the table has for the API, on each of its routes.
"""

import base64
import json
import re
from http.client import HTTPConnection
from pathlib import Path

import yaml
from replay import JOBS, documented, expected, method

ROOT = Path(__file__).resolve().parents[1]
INVOKE = 'sam local invoke --config-env local --parameter-overrides "$own" -e events/%s.json'
PATHS = yaml.safe_load((ROOT / "schemas/openapi.yaml").read_text())["paths"]
ROUTES = {(method.upper(), path) for path, methods in PATHS.items() for method in methods if method in ("get", "post")}

JOBS |= {job_id: text.rstrip() for job_id, text in JOBS.items()}  # as `cargo local` stores its samples


def faults(name, event, status, body, answered):
    headers, pattern = expected(event, status, body)
    got_status, got_headers, got_body = answered
    got = {key.lower(): value for key, value in got_headers.items()}
    if "retry-after" in headers and 1 <= int(got.get("retry-after", 0)) <= 33:  # 30, spread by up to a tenth
        headers = headers | {"retry-after": got["retry-after"]}  # the files of `cargo local` grow older meanwhile
    same = got_status == status and got.items() >= headers.items() and re.fullmatch(pattern, got_body)
    if not (same and got.get("x-request-id")):
        return [f"{name}: expected {status} {headers} {pattern}\n answered {got_status} {got} {got_body}"]
    print(f"  ok {name}", flush=True)
    return []


def sample(name):
    return json.loads((ROOT / f"events/{name}.json").read_text())


def invoke(output_of):
    """`output_of` runs a command."""
    found = []
    for name, status, body in documented():
        output = output_of(INVOKE % name)
        answer, _ = json.JSONDecoder().raw_decode(output, output.index('{"statusCode"'))
        answered = [answer[part] for part in ("statusCode", "headers", "body")]
        found += faults(name, sample(name), status, body, answered)
    return found


def start_api():
    """It listens already."""
    found, asked = [], set()
    for name, status, body in documented():
        event = sample(name)
        if not name.startswith("http-api-") or (method(event), event["rawPath"]) not in ROUTES:
            continue  # another front door, or a path that is no route
        for route in sorted(route for route in ROUTES if route[0] == method(event)):
            found += faults(f"{name}: {' '.join(route)}", event, status, body, ask(event, *route))
            asked.add(route)
    return found + [f"no event is a request for {' '.join(route)}" for route in ROUTES - asked]


def ask(event, method, path):
    sent = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event.get("body")
    headers = {name: value for name, value in event["headers"].items() if name not in ("host", "content-length")}
    query = f"?{event['rawQueryString']}" if event["rawQueryString"] else ""
    connection = HTTPConnection("127.0.0.1", 3000, timeout=60)
    connection.request(method, path + query, sent, headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read().decode()
