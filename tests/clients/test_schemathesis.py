"""Schemathesis finds no difference between openapi.yaml and the endpoint: thousands of requests, right and
wrong ones, alone and in sequence, all of its checks on."""

import copy
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from conftest import KEY, ROOT, Local

CONFIG = ROOT / "tests/clients/schemathesis.toml"
SPEC = yaml.safe_load((ROOT / "schemas/openapi.yaml").read_text())


def schemathesis(directory: Path, document: Path, server: Local, *options: str) -> tuple[int, str, list[dict]]:
    """Runs it; returns its exit code, what it printed, and every scenario that it went through."""
    report = directory / "report.ndjson"
    program = [Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run", document]
    options = ("--url", server.base, "-H", f"x-api-key: {KEY}", "--checks", "all", "--no-color", *options)
    options = (*options, "--report", "ndjson", "--report-ndjson-path", str(report))
    run = subprocess.run([*program, *options], cwd=directory, capture_output=True, text=True)
    events = [json.loads(line) for line in report.read_text().splitlines()]
    return run.returncode, run.stdout + run.stderr, [e["ScenarioFinished"] for e in events if "ScenarioFinished" in e]


def test_the_endpoint_and_its_description_agree(samples, tmp_path):
    code, output, scenarios = schemathesis(tmp_path, ROOT / "schemas/openapi.yaml", samples)
    assert code == 0, output

    answers, cases = Counter(), Counter()
    for scenario in scenarios:
        recorder = scenario["recorder"]  # empty where a sequence was given up before its first request
        for interaction in recorder.get("interactions", {}).values():
            answers[interaction["request"]["method"], interaction["response"]["status_code"]] += 1
        for case in recorder.get("cases", {}).values():
            cases[scenario["phase"], case["value"]["meta"]["generation"]["mode"]] += 1
    print(f"requests by method and status: {dict(answers)}\ncases by phase and mode: {dict(cases)}")
    # A 413 needs more than what is generated.
    statuses = {status for _, status in answers} - {413}
    assert statuses == {200, 304, 400, 401, 404, 405}, "each documented outcome that requests alone bring about"
    assert all(answers[method, status] > 5 for method in ("GET", "POST") for status in (200, 400, 404)), answers
    assert answers.total() > 2000 and answers["GET", 304] > 5, answers
    assert {phase for phase, _ in cases} == {"examples", "coverage", "fuzzing", "stateful"}
    for phase in ("coverage", "fuzzing", "stateful"):
        assert cases[phase, "positive"] and cases[phase, "negative"], cases


def without_404(spec):
    for path in spec["paths"].values():
        del path["post"]["responses"]["404"]


def without_404_for_get(spec):
    for path in spec["paths"].values():
        del path["get"]["responses"]["404"]


def with_another_code(spec):
    spec["components"]["schemas"]["JobStatusEnvelope"]["properties"]["code"]["const"] = 201


def with_a_header_that_is_not_sent(spec):
    spec["components"]["responses"]["Unauthorized"]["headers"]["www-authenticate"] = {
        "required": True,
        "schema": {"type": "string"},
    }


def with_numbers_for_references(spec):
    spec["components"]["schemas"]["JobStatusRequest"]["properties"]["id"]["type"] = ["integer"]


def with_any_string_refused(spec):
    spec["components"]["schemas"]["JobStatusRequest"]["properties"]["id"]["maxLength"] = 3


def with_put(spec):
    path = spec["paths"]["/v1/toolkit/job/status"]
    path["put"] = {"operationId": "put", "responses": {"200": path["post"]["responses"]["200"]}}


@pytest.mark.parametrize(
    "change",
    [
        without_404,
        without_404_for_get,
        with_another_code,
        with_a_header_that_is_not_sent,
        with_numbers_for_references,
        with_any_string_refused,
        with_put,
    ],
)
def test_a_description_that_differs_is_found_out(samples, tmp_path, change):
    spec = copy.deepcopy(SPEC)
    change(spec)
    document = tmp_path / "openapi.yaml"
    document.write_text(yaml.safe_dump(spec, sort_keys=False))
    code, output, _ = schemathesis(tmp_path, document, samples, "--phases", "examples,coverage", "--max-failures", "1")
    assert code == 1, output
