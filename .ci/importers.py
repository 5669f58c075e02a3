"""Postman, Insomnia and a bridge from OpenAPI to MCP import schemas/openapi.yaml, and ask `cargo local` by it.

    python3 .ci/importers.py LOCAL_BINARY

Needs npm, which installs them in target/importers.
"""

import json
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

from callers import ROOT, endpoint, install

DOCUMENT = ROOT / "schemas/openapi.yaml"
DEPENDENCIES = {
    "@ivotoby/openapi-mcp-server": "1.16.1",
    "insomnia-importers": "3.6.0",
    "openapi-to-postmanv2": "6.3.3",
}
OVERRIDES = {"@apidevtools/swagger-parser": "10.1.1"}  # as in Insomnia 12, whose importer is not on npm
DONE = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"
KEY = "demo-key"
ROUTES = {(method, path) for method in ("GET", "POST") for path in ("/v1/toolkit/job/status", "/paid/get/job/status")}


def convert(program, *arguments):
    """What a converter writes into the file that its command ends with."""
    subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE)
    return json.loads(arguments[-1].read_text())


def filled_in(request, variables):
    """The request with each {{ variable }}, whose value may have variables again."""
    text = json.dumps(request)
    while found := re.search(r"\{\{ *(\w+) *\}\}", text):
        text = text.replace(found[0], variables[found[1]])
    return json.loads(text)


def answer(method, url, query, headers, body):
    """The state of a job that is asked for instead of the one in the example."""

    def about(example):
        return {name: DONE if name == "job_id" else value for name, value in example.items()}

    if query:
        url += "?" + urllib.parse.urlencode(about(query))
    if body:
        body = json.dumps(about(json.loads(body))).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as reply:
        return json.load(reply)["response"]["job_status"]


def postman(programs, base, folder):
    """The requests of a collection in which the variables are set."""
    collection = convert(programs / "openapi2postmanv2", "-s", DOCUMENT, "-o", folder / "postman.json")
    key = {it["key"]: it["value"] for it in collection["auth"]["apikey"]}
    assert key["in"] == "header", key
    items = [collection]
    for item in items:  # which grows by the content of folders
        items += item.get("item", [])
        if request := item.get("request"):
            url = "/".join([*request["url"]["host"], *request["url"]["path"]])
            query = {it["key"]: it["value"] for it in request["url"]["query"]}
            headers = {it["key"]: it["value"] for it in request["header"]} | {key["key"]: key["value"]}
            request = [request["method"], url, query, headers, request.get("body", {}).get("raw")]
            yield filled_in(request, {"baseUrl": base, "apiKey": KEY})


def insomnia(programs, base, folder):
    """The requests of an import in whose environment the server and the key are set."""
    resources = convert(programs / "insomnia-import", DOCUMENT, folder / "insomnia.json")["resources"]
    variables = {}
    for resource in resources:
        variables |= resource["data"] if resource["_type"] == "environment" else {}
    scheme, _, host = base.partition("://")
    assert {"scheme", "host", "xApiKey"} <= set(variables), variables
    variables |= {"scheme": scheme, "host": host, "xApiKey": KEY}
    for request in resources:
        if request["_type"] == "request":
            query = {it["name"]: it["value"] for it in request["parameters"] if not it["disabled"]}
            headers = {it["name"]: it["value"] for it in request["headers"] if not it["disabled"]}
            request = [request["method"], request["url"], query, headers, request["body"].get("text")]
            yield filled_in(request, variables)


def mcp(programs, base):
    """What each tool of the bridge says about the job, by its route."""
    options = ["--api-base-url", base, "--openapi-spec", DOCUMENT, "--headers", f"x-api-key:{KEY}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen([programs / "openapi-mcp-server", *options], **pipes) as process:

        def send(method, **parameters):
            message = {"jsonrpc": "2.0", "method": method, "params": parameters}
            message |= {} if method.startswith("notifications/") else {"id": method}
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())["result"] if "id" in message else None

        try:
            send("initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={"name": "ci", "version": "1"})
            send("notifications/initialized")
            for tool in send("tools/list")["tools"]:
                said = send("tools/call", name=tool["name"], arguments={"job_id": DONE})["content"][0]["text"]
                yield (tool["httpMethod"], tool["originalPath"]), json.loads(said)["response"]["job_status"]
        finally:
            process.terminate()


def main():
    _, local = sys.argv
    programs = install("importers", DEPENDENCIES, OVERRIDES)
    with tempfile.TemporaryDirectory() as folder, endpoint(local, Path(folder, "log")) as base:
        made = {
            name: {(request[0], urllib.parse.urlsplit(request[1]).path): answer(*request) for request in requests}
            for name, requests in (
                ("Postman", postman(programs, base, Path(folder))),
                ("Insomnia", insomnia(programs, base, Path(folder))),
            )
        }
        made["MCP"] = dict(mcp(programs, base))
    for name, answers in made.items():
        if answers != dict.fromkeys(ROUTES, "done"):
            sys.exit(f"FAILED: {name}: {answers}")
        print(f"{name}: {len(answers)} requests are answered")


if __name__ == "__main__":
    main()
