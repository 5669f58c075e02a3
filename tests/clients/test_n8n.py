"""docs/n8n/wait-for-job.json asks as openapi.yaml says, and has a branch for whatever the endpoint answers.

Its expressions run in n8n alone, which .ci/n8n.py does.
"""

import json
import operator
import re
import uuid
from urllib.parse import urlsplit

import pytest
import yaml

from conftest import KEY, ROOT
from scripted import Reply, send

SPEC = yaml.safe_load((ROOT / "schemas/openapi.yaml").read_text())
TEXT = (ROOT / "docs/n8n/wait-for-job.json").read_text()
WORKFLOW = json.loads(TEXT)
NODES = {node["name"]: node for node in WORKFLOW["nodes"] if not node["type"].endswith(".stickyNote")}
ASK, SWITCH = NODES["Ask"]["parameters"], NODES["How does it stand?"]["parameters"]
BODY = [parameter["name"] for parameter in ASK["bodyParameters"]["parameters"]]
FIELDS = {field["name"]: field["value"] for field in NODES["Job"]["parameters"]["assignments"]["assignments"]}
PATH = urlsplit(FIELDS["url"]).path
AGAIN = "Time over?"
COMPARE = {"equals": operator.eq, "gte": operator.ge, "lt": operator.lt}


def after(name: str) -> list[str]:
    """Where each output of a node leads."""
    return [link["node"] for output in WORKFLOW["connections"].get(name, {}).get("main", []) for link in output]


def branch(reply: Reply, milliseconds: float = 0) -> str:
    """The node that an answer leads to, so long after the first request."""
    values = {
        "={{ $json.headers['x-job-outcome'] ?? '' }}": reply.headers.get("x-job-outcome", ""),
        "={{ $json.statusCode }}": reply.status,
        "={{ Date.now() - $('Job').first().json.started }}": milliseconds,
    }
    *branches, fallback = after("How does it stand?")
    for target, rule in zip(branches, SWITCH["rules"]["values"], strict=True):
        either = any if rule["conditions"]["combinator"] == "or" else all
        conditions = rule["conditions"]["conditions"]
        if either(COMPARE[it["operator"]["operation"]](values[it["leftValue"]], it["rightValue"]) for it in conditions):
            return target
    assert SWITCH["options"]["fallbackOutput"] == "extra"
    return fallback


def test_each_node_is_there_once_and_is_reached():
    assert len({node["name"] for node in WORKFLOW["nodes"]}) == len(WORKFLOW["nodes"])
    linked = set(WORKFLOW["connections"]) | {target for name in WORKFLOW["connections"] for target in after(name)}
    assert linked == set(NODES)
    assert set(re.findall(r"\$\('([^']+)'\)", TEXT)) == {"Job"}
    assert set(re.findall(r"\$\('Job'\)\.first\(\)\.json\.(\w+)", TEXT)) == set(FIELDS)


def test_it_asks_as_documented():
    assert ASK["method"].lower() in SPEC["paths"][PATH] and ASK["url"] == "={{ $('Job').first().json.url }}"
    assert BODY == SPEC["components"]["schemas"]["JobStatusRequest"]["required"]
    assert ASK["options"] == {
        "redirect": {"redirect": {"followRedirects": False}},
        "response": {"response": {"fullResponse": True, "neverError": True}},
        "timeout": 10_000,
    }


def test_the_key_is_in_a_credential_and_not_in_the_file():
    assert (ASK["authentication"], ASK["genericAuthType"]) == ("genericCredentialType", "httpHeaderAuth")
    with_credentials = {name: node["credentials"] for name, node in NODES.items() if "credentials" in node}
    assert with_credentials == {"Ask": {"httpHeaderAuth": {"id": None, "name": "Job status key"}}}
    assert "sendHeaders" not in ASK and "demo-key" not in TEXT
    header = SPEC["components"]["securitySchemes"]["apiKey"]["name"]
    page = (ROOT / "docs/n8n/README.md").read_text()
    assert f"`{header}`" in page and f"`{header}`" in TEXT and "**Job status key**" in page


def test_it_reads_headers_that_are_documented():
    documented = SPEC["components"]["responses"]["Status"]["headers"]
    assert set(re.findall(r"headers\['([^']*)'\]", TEXT)) == {"x-job-outcome", "retry-after"} <= set(documented)


def test_each_outcome_has_a_branch():
    outcomes = SPEC["components"]["headers"]["x-job-outcome"]["schema"]["enum"]
    led = {outcome: branch(Reply(200, {"x-job-outcome": outcome}, b"")) for outcome in outcomes}
    assert led == {"unfinished": AGAIN, "done": "Done", "failed": "Failed", "other": "Other"}


def test_each_status_has_a_branch():
    (documented,) = {tuple(operation["responses"]) for path in SPEC["paths"].values() if (operation := path["post"])}
    led = {int(status): branch(Reply(int(status), {}, b""), 10_000) for status in documented if status != "200"}
    refused = dict.fromkeys((400, 401, 404, 405, 413), "Refused")
    assert led == refused | {429: AGAIN, 500: AGAIN}
    assert [branch(Reply(status, {}, b"")) for status in (301, 404, 502, 503)] == ["Refused", AGAIN, AGAIN, AGAIN]


def test_only_an_answer_that_may_change_is_asked_for_again():
    assert after(AGAIN) == ["Give up", "Wait"] and after("Wait") == ["Ask"]
    ends = {name: node["type"] for name, node in NODES.items() if not after(name)}
    stops = dict.fromkeys(("Give up", "Failed", "Other", "Refused"), "n8n-nodes-base.stopAndError")
    assert ends == stops | {"Done": "n8n-nodes-base.set"}


@pytest.mark.parametrize(
    ("file", "end"),
    [
        ({"job_status": "running"}, AGAIN),
        ({"job_status": "done", "response": {"code": 200, "response": "text"}}, "Done"),
        ({"job_status": "done", "response": {"code": 500, "message": "no audio"}}, "Failed"),
        ({"job_status": "paused"}, "Other"),
        (None, "Refused"),
    ],
)
def test_an_answer_has_what_its_branch_reads(local, jobs, file, end):
    job_id = str(uuid.uuid4())
    if file:
        jobs.write(job_id, file)
    body = json.dumps(dict.fromkeys(BODY, job_id)).encode()
    reply = send(local.base + PATH, ASK["method"], {"x-api-key": KEY}, body)
    assert branch(reply, 10_000) == end
    for path in re.findall(r"\$json\.body\??\.([\w?.]+)", json.dumps(NODES[end]["parameters"])):
        value = json.loads(reply.body)
        for member in path.split("."):
            value = value[member.removesuffix("?")]
