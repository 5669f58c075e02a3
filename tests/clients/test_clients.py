"""The programs of docs/clients.md, each through everything that can happen to a poll."""

import contextlib
import json
import os
import re
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from conftest import KEY, ROOT
from scripted import DROP, HANG, Reply, Scripted, forward
from snippets import BINARIES, by_post, command, snippet

RESULT = {"code": 200, "response": {"text": 'Straße, 日本, "quoted"'}, "message": "success"}
SLACK = 3  # seconds that a busy machine may add to any wait
JSON = {"content-type": "application/json"}


@dataclass
class Ended:
    """How a program ended, and how long it took."""

    code: int
    output: str
    errors: str
    seconds: float


def runner(program):
    """Runs this program."""

    def run(url, *arguments, key=KEY, **environment):
        started = time.monotonic()
        environment |= {"PATH": os.environ["PATH"], "JOB_STATUS_URL": url, "JOB_STATUS_KEY": key}
        done = subprocess.run([*program, *arguments], env=environment, capture_output=True, timeout=90)
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode(), time.monotonic() - started)

    return run


@pytest.fixture(scope="session", params=["bash", "python", "typescript", "rust"])
def client(request, tmp_path_factory):
    """Runs one of the programs."""
    return runner(command(request.param, tmp_path_factory.mktemp(request.param)))


@pytest.fixture
def job():
    return str(uuid.uuid4())


def status(job_id, state, result=None):
    return {"job_status": state, "job_id": job_id, "queue_id": 1, "process_id": 2, "response": result}


@pytest.fixture
def step(local, jobs, job):
    """A step that has the worker write a state, and then the endpoint answer."""
    return lambda state, result=None, age=0: forward(
        local.url, lambda: jobs.write(job, status(job, state, result), age)
    )


def assert_done(ended, result=RESULT):
    assert (ended.code, ended.errors) == (0, ""), ended
    assert json.loads(ended.output) == result


def assert_pauses(server, *expected, spread=0):
    """Pauses of so many seconds, or longer by chance: by up to `spread` as a part of them."""
    pauses = server.pauses()
    assert len(pauses) == len(expected), pauses
    bounds = [(wait - 0.05, wait * (1 + spread) + SLACK) for wait in expected]
    assert all(least <= pause < most for pause, (least, most) in zip(pauses, bounds)), pauses


def known(server):
    """What each request says that its program has already."""
    return [request.headers.get("if-none-match") for request in server.seen]


def test_the_typescript_holds_under_the_strictest_options(tmp_path):
    program = tmp_path / "poll.mts"
    program.write_text(snippet("ts"))
    options = {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "exactOptionalPropertyTypes": True,
        "noUnusedLocals": True,
        "noEmit": True,
        "target": "ES2022",
        "module": "NodeNext",
        "lib": ["ES2022"],
        "types": ["node"],
        "typeRoots": [str(BINARIES.parent / "@types")],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": [program.name]}))
    checked = subprocess.run([BINARIES / "tsc", "--project", tmp_path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_a_job_is_followed_from_queued_through_running_to_done(client, job, step):
    steps = [step("queued"), step("running", age=25), step("submitted", age=12), step("done", RESULT)]
    with Scripted(*steps) as server:
        ended = client(f"{server.url}/v1/toolkit/job/status", job)
    assert_done(ended)
    assert_pauses(server, 1, 2, 1)
    for request in server.seen:
        asked = (request.method, request.path, request.headers["x-api-key"], request.body)
        assert asked == ("GET", f"/v1/toolkit/job/status?job_id={job}", KEY, b"")
    etags = [reply.headers["etag"] for reply in server.sent]
    assert len(set(etags)) == 4 and known(server) == [None, *etags[:3]]


def test_nothing_new_is_no_reason_to_stop(client, local, job, step):
    with Scripted(step("running"), forward(local.url), forward(local.url), step("done", RESULT)) as server:
        assert_done(client(server.url, job))
    assert [(reply.status, reply.body) for reply in server.sent[1:3]] == [(304, b"")] * 2
    assert known(server) == [None] + [server.sent[0].headers["etag"]] * 3
    assert_pauses(server, 1, 1, 1)


def test_the_wait_is_that_of_the_304(client, job, step):
    with Scripted(step("running"), step("running", age=35), step("done", RESULT)) as server:
        assert_done(client(server.url, job))
    assert server.sent[1].status == 304
    assert_pauses(server, 1, 3)


def test_after_a_status_without_an_etag_everything_is_new(client, job, step):
    def untagged(request):
        reply = step("running")(request)
        del reply.headers["etag"]
        return reply

    with Scripted(step("queued"), untagged, step("done", RESULT)) as server:
        assert_done(client(server.url, job))
    assert known(server) == [None, server.sent[0].headers["etag"], None]


def test_whatever_is_asked_for_arrives_as_one_parameter(client, local):
    with Scripted(forward(local.url)) as server:
        ended = client(server.url, "@a b&id=7+%2F/é?#=")
    assert (ended.code, len(server.seen)) == (1, 1) and "job_id is not a UUID" in ended.errors, ended
    assert parse_qsl(urlsplit(server.seen[0].path).query) == [("job_id", "@a b&id=7+%2F/é?#=")]


def test_the_key_is_in_no_commands_arguments(client, job):
    key, arguments = str(uuid.uuid4()), []

    def look(request):
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has ended
                arguments.append(process.read_bytes())
        return Reply(401, JSON, b"{}")

    with Scripted(look) as server:
        client(server.url, job, key=key)
    assert server.seen[0].headers["x-api-key"] == key
    assert any(job.encode() in each for each in arguments)
    assert not any(key.encode() in each for each in arguments)


@pytest.mark.parametrize("language", ["bash", "python", "typescript"])
def test_a_program_asks_by_post_if_it_sends_the_job_as_json_in_the_body(language, tmp_path, job, step):
    client = runner(command(language, tmp_path, by_post))
    with Scripted(step("running"), step("running"), step("done", RESULT)) as server:
        assert_done(client(server.url, job))
    assert [reply.status for reply in server.sent] == [200] * 3
    for request in server.seen:
        assert (request.method, request.path, json.loads(request.body)) == ("POST", "/", {"job_id": job})


def test_each_program_has_one_place_that_asks():
    for block in ("bash", "python", "ts"):
        assert by_post(snippet(block)) != snippet(block)
    assert snippet("rust").count("agent.get(url)") == 1  # ureq sends a body by another call


def test_the_endpoint_itself_is_followed_while_a_worker_writes(client, local, jobs, job):
    """No server in between: the worker goes on as soon as the endpoint has logged a poll of its last state."""

    def work():
        for polls, state, result in (1, "running", None), (2, "done", RESULT):
            local.wait_for_line(rf'(?s)("job_id":"{job}","outcome":"unfinished".*){{{polls}}}')
            jobs.write(job, status(job, state, result))

    jobs.write(job, status(job, "queued"))
    worker = threading.Thread(target=work)
    worker.start()
    ended = client(local.url, job, "30")
    worker.join()
    assert_done(ended)
    assert 2 < ended.seconds < 2 + SLACK


@pytest.mark.parametrize(
    ("state", "result"),
    [
        ("failed", {"code": 500, "message": "The input has no audio stream."}),
        ("done", {"code": 400, "response": None, "message": "The input has no audio stream."}),
        ("done", {"code": 500, "response": None, "message": {"error": "The input has no audio stream."}}),
        ("failed", {"code": 200, "message": "The input has no audio stream."}),
    ],
)
def test_a_failed_job_is_reported_and_not_asked_about_again(client, job, step, state, result):
    with Scripted(step(state, result)) as server:
        ended = client(server.url, job)
    assert (ended.code, ended.output) == (3, ""), ended
    assert "The input has no audio stream." in ended.errors
    assert len(server.seen) == 1


@pytest.mark.parametrize("arguments", [[], ["x", "9", "y"]])
def test_wrong_arguments_get_a_usage_line(client, arguments):
    ended = client("http://127.0.0.1:9", *arguments)
    assert (ended.code, ended.output) == (2, ""), ended
    assert re.fullmatch(r"usage: poll\S* JOB_ID \[SECONDS\]\n", ended.errors), ended


def test_a_job_can_fail_without_a_result(client, job, step):
    with Scripted(step("failed")) as server:
        ended = client(server.url, job)
    assert (ended.code, len(server.seen)) == (3, 1), ended


@pytest.mark.parametrize("result", [None, {"url": "s3://results/1"}, {"code": None}, "text", [1]])
def test_a_result_without_a_code_is_a_success(client, job, step, result):
    with Scripted(step("done", result)) as server:
        assert_done(client(server.url, job), result)


@pytest.mark.parametrize("file", [{"job_status": "paused"}, {"job_status": None}, {}])
def test_a_state_that_nobody_knows_is_final(client, local, jobs, job, file):
    with Scripted(forward(local.url, lambda: jobs.write(job, file))) as server:
        ended = client(server.url, job)
    assert (ended.code, len(server.seen)) == (1, 1), ended
    assert server.sent[0].headers["x-job-outcome"] == "other" and str(file.get("job_status") or "") in ended.errors


def told(outcome, state, result):
    """A status whose header says something else than its file."""
    headers = JSON | {"x-job-outcome": outcome, "etag": '"1"'}
    return Reply(200, headers, json.dumps({"code": 200, "response": status("1", state, result)}).encode())


@pytest.mark.parametrize(
    ("outcome", "state", "code"),
    [("done", "failed", 0), ("failed", "done", 3), ("other", "done", 1), ("a word of tomorrow", "done", 1)],
)
def test_the_header_alone_says_how_a_job_stands(client, job, outcome, state, code):
    same = [Reply(304, {"x-job-outcome": "unfinished"}, b""), Reply(304, {}, b"")]
    with Scripted(told("unfinished", "done", RESULT), *same, told(outcome, state, RESULT)) as server:
        ended = client(server.url, job)
    assert (ended.code, len(server.seen)) == (code, 4), ended
    assert known(server) == [None, '"1"', '"1"', '"1"']
    if code == 0:
        assert_done(ended)
    assert bool(ended.output) != bool(ended.errors), ended


def test_a_status_without_the_header_is_no_result(client, job):
    reply = told("done", "done", RESULT)
    del reply.headers["x-job-outcome"]
    with Scripted(reply) as server:
        ended = client(server.url, job)
    assert (ended.code, ended.output, len(server.seen)) == (1, "", 1), ended


DEEP = "[" * 10_000 + "]" * 10_000
# What a JSON parser may refuse: text cut inside an emoji, depth, length.
HARD = {
    "surrogate": '{"text":"cut \\ud83d"}',
    "surrogate-in-a-name": '{"cut \\ud83d":"text"}',
    "deep": DEEP,
    "deep-enough-to-be-parsed": "[" * 900 + "]" * 900,
    "number": '{"number":' + "9" * 10_000 + "}",
    "long": json.dumps({"segments": ["ä" * 1000] * 1000}, ensure_ascii=False),
}


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("result", HARD.values(), ids=HARD)
def test_a_finished_job_is_finished_whatever_its_result(client, local, jobs, job, result, ascii_only):
    file = f'{{"job_status":"done","response":{result}}}'
    environment = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"} if ascii_only else {}
    with Scripted(forward(local.url, lambda: jobs.write(job, file))) as server:
        ended = client(server.url, job, **environment)
    assert (ended.code, ended.errors, len(server.seen)) == (0, "", 1), ended.errors
    assert result[:5] in re.sub(r"\s", "", ended.output), ended.output[:200]


@pytest.mark.parametrize(("state", "code"), [("failed", 3), ("paused", 1)])
def test_a_job_has_failed_whatever_its_result(client, local, jobs, job, state, code):
    file = f'{{"job_status":"{state}","response":{{"message":"The input is \\ud83d","deep":{DEEP}}}}}'
    with Scripted(forward(local.url, lambda: jobs.write(job, file))) as server:
        ended = client(server.url, job, LC_ALL="C", PYTHONIOENCODING="ascii")
    assert (ended.code, ended.output, len(server.seen)) == (code, "", 1), ended.errors[:200]
    assert state in ended.errors


def test_the_programs_have_at_most_forty_lines():
    for block in ("bash", "python", "ts", "rust"):
        assert snippet(block).count("\n") <= 40, block


def test_the_shell_program_needs_no_new_curl():
    """Ubuntu 22.04 has 7.81, Debian 11 has 7.74, RHEL 8 has 7.61."""
    command = re.search(r"curl -sS.*?<<<", snippet("bash"), re.DOTALL)[0]
    assert set(re.findall(r"(?<= )-[-a-zA-Z]+", command)) == {
        *("-sS", "--compressed", "-G", "--data-urlencode", "-H", "--max-time", "-D", "-o", "-w")
    }
    assert re.search("-w '(.*?)'", command)[1] == "%{http_code}"


def test_a_job_that_is_not_written_down_yet_is_waited_for(client, local, job, step):
    with Scripted(forward(local.url), forward(local.url), step("done", RESULT)) as server:
        assert_done(client(server.url, job))
    assert_pauses(server, 1, 1)


def test_a_job_that_never_appears_is_given_up_after_ten_seconds(client, local, job):
    with Scripted(forward(local.url)) as server:
        ended = client(server.url, job)
    assert ended.code == 1 and "Job not found" in ended.errors, ended
    assert 9 < ended.seconds < 11 + SLACK
    assert 8 <= len(server.seen) <= 12


def test_a_wrong_key_is_not_tried_again(client, local, job):
    with Scripted(forward(local.url)) as server:
        ended = client(server.url, job, key="wrong")
    assert (ended.code, len(server.seen)) == (1, 1), ended
    assert "Unauthorized: send a valid API key" in ended.errors


@pytest.mark.parametrize("status", [302, 307])
def test_the_key_does_not_follow_a_redirect(client, job, status):
    with Scripted(Reply(200, JSON, b"{}")) as elsewhere, Scripted(Reply(status, {"location": elsewhere.url}, b"")) as server:
        ended = client(server.url, job)
    assert (ended.code, len(server.seen), elsewhere.seen) == (1, 1, []), ended
    assert f"HTTP {status}" in ended.errors


def test_too_many_requests_are_followed_by_the_wait_that_was_asked_for(client, job, step):
    busy = Reply(429, JSON | {"retry-after": "3"}, b'{"error":"Too many requests: try again in 3 seconds","code":429}')
    with Scripted(busy, step("done", RESULT)) as server:
        assert_done(client(server.url, job))
    assert_pauses(server, 3, spread=0.5)


def test_failures_without_retry_after_are_followed_by_longer_and_longer_waits(client, job, step):
    gateway = Reply(429, JSON, b'{"message":"Too Many Requests"}')
    half = Reply(200, JSON | {"x-job-outcome": "done"}, b'{"endpoint":"/v1/toolkit', promised=1000)
    with Scripted(gateway, DROP, half, step("done", RESULT)) as server:
        ended = client(server.url, job)
    assert (ended.code, json.loads(ended.output)) == (0, RESULT), ended
    assert_pauses(server, 2, 4, 8, spread=0.5)


def test_five_failures_in_a_row_are_enough(client, job):
    failed = Reply(
        500, JSON | {"retry-after": "1"}, b'{"error":"Failed to retrieve job status: internal error","code":500}'
    )
    with Scripted(failed) as server:
        ended = client(server.url, job)
    assert ended.code == 1 and "HTTP 500" in ended.errors, ended
    assert_pauses(server, 1, 1, 1, 1, spread=0.5)
    assert max(server.pauses()) - min(server.pauses()) > 0.02, "no two waits are the same"


@pytest.mark.parametrize("answer", [200, 304])
def test_failures_with_an_answer_in_between_are_not_in_a_row(client, job, step, answer):
    first = [step("running")] if answer == 304 else []
    failed = Reply(503, JSON | {"retry-after": "1"}, b'{"message":"Service Unavailable"}')
    with Scripted(*first, *[failed] * 4, step("running"), failed, step("done", RESULT)) as server:
        assert_done(client(server.url, job))
    assert server.sent[-3].status == answer
    assert len(server.seen) == 7 + len(first)


@pytest.mark.parametrize("retry_after", ["0", "-1", "1.5", "02", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_of_seconds_is_no_reason_to_hurry(client, job, step, retry_after):
    busy = Reply(429, JSON | {"retry-after": retry_after}, b"{}")
    with Scripted(busy, step("done", RESULT)) as server:
        assert_done(client(server.url, job))
    assert server.pauses()[0] >= 0.95


def test_a_job_that_is_not_over_in_time_is_given_up(client, job, step):
    with Scripted(step("running")) as server:
        ended = client(server.url, job, "3")
    assert ended.code == 1 and "not over" in ended.errors, ended
    assert ended.seconds < 3 + SLACK and 2 <= len(server.seen) <= 3


@pytest.mark.parametrize("age", [100, 1_000_000])
def test_a_wait_that_would_end_too_late_is_not_begun(client, job, step, age):
    with Scripted(step("running", age=age)) as server:
        ended = client(server.url, job, "9")
    assert ended.code == 1 and "not over" in ended.errors, ended
    assert (len(server.seen), ended.seconds < 9) == (1, True)


def test_a_wait_beyond_all_measure_is_not_begun(client, job):
    busy = Reply(429, JSON | {"retry-after": "18446744073709551615"}, b"{}")
    with Scripted(busy) as server:
        ended = client(server.url, job, "2")
    assert (ended.code, len(server.seen)) == (1, 1), ended


def test_an_answer_that_does_not_come_is_not_waited_for_beyond_the_end(client, job):
    with Scripted(HANG) as server:
        ended = client(server.url, job, "2")
        assert ended.code == 1, ended
    assert 1.9 < ended.seconds < 2 + SLACK


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"", b"{}", b"null"])
def test_a_200_of_somebody_else_is_no_result(client, job, body):
    with Scripted(Reply(200, {"content-type": "text/html"}, body)) as server:
        ended = client(server.url, job)
    assert ended.code not in (0, 3) and ended.output == "", ended
    assert len(server.seen) == 1


def test_a_stalled_job_is_reported_and_waited_for(client, local, jobs, job):
    file = status(job, "running") | {"heartbeat_seconds": 1}
    with Scripted(forward(local.url, lambda: jobs.write(job, file, age=100))) as server:
        ended = client(server.url, job, "9")
    assert (ended.code, len(server.seen)) == (1, 1), ended  # the next poll is 30 seconds away
    assert re.search(r"no news of the job for 10\d seconds", ended.errors) and "not over" in ended.errors, ended


def test_a_stalled_job_is_reported_by_a_304_as_well(client, local, jobs, job, step):
    file = status(job, "running") | {"heartbeat_seconds": 60}

    def stalled(request):
        reply = forward(local.url, lambda: jobs.write(job, file, age=200))(request)
        assert reply.headers.pop("retry-after")  # so that the test does not take half a minute
        return reply

    with Scripted(forward(local.url, lambda: jobs.write(job, file)), stalled, step("done", RESULT)) as server:
        ended = client(server.url, job)
    assert (ended.code, json.loads(ended.output)) == (0, RESULT), ended
    assert re.fullmatch(r"no news of the job for 20\d seconds\n", ended.errors), ended
    assert server.sent[1].status == 304
    assert_pauses(server, 1, 1)


def test_the_commands_that_ask_by_get_whether_anything_is_new(local, jobs):
    page = (ROOT / "docs/api.md").read_text()
    (commands,) = (block for block in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) if "etag" in block)
    jobs.write("e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7", status("e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7", "running"))
    environment = {"PATH": os.environ["PATH"], "JOB_STATUS_URL": local.url, "JOB_STATUS_KEY": KEY}
    done = subprocess.run(["bash", "-euc", commands], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "304\n", "")


def test_a_large_result_travels_compressed(client, job, step):
    result = {"code": 200, "response": {"segments": [{"text": f"segment {n}"} for n in range(20_000)]}}
    with Scripted(step("done", result)) as server:
        assert_done(client(server.url, job), result)
    assert [reply.headers.get("content-encoding") for reply in server.sent] == ["gzip"]
