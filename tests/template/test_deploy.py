"""`sam deploy` as the documents show it: what it sends, and which parameters the stack has afterwards.

It is the real command, and moto is its AWS. moto cannot make this stack, so the template that is deployed here has the
parameters of template.yaml and a single resource that moto can make.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import boto3
import pytest
import requests
from cloudformation import TEMPLATE, source
from samcli.cli.types import CfnParameterOverridesType
from test_parameters import accepts
from walk import edit, make_bucket_for_artifacts

ROOT = TEMPLATE.parent
PARAMETERS = source()["Parameters"]
DEFAULTS = {name: str(parameter["Default"]) for name, parameter in PARAMETERS.items()}
ON_THE_COMMAND_LINE = {"ApiKeys", "Revision"}
KEYS = [{"name": "acme 2026, a=b", "sha256": "0" * 64}, {"name": "zeta", "sha256": "1" * 64}]
KEYRING = json.dumps({"keys": KEYS}, indent=2)

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
COMMANDS = sorted(set(re.findall(r"sam deploy[^`\n]* --parameter-overrides [^`\n]*", TEXT)))
"""Each `sam deploy` in the documents that names parameters."""
WITH_KEYRING, WITH_NEW_KEYRING = (command for command in COMMANDS if "keyring.json" in command)
LINES = sorted(set(re.findall(r'\b[A-Z][a-z]+[A-Za-z]* = (?:"[^"\n]*"|\d+)', TEXT)))
"""Each line for parameters.toml in the documents."""


def parameters_in(file):
    """What sam reads from a parameters file."""
    return CfnParameterOverridesType().convert(f"file://{file}", None, None)


@pytest.fixture
def checkout(tmp_path):
    """What `sam deploy` finds in a checkout after `sam build`, and a keyring."""
    for file in ["samconfig.toml", "parameters.toml", "parameters-dev.toml"]:
        shutil.copy(ROOT / file, tmp_path)
    built = {"Parameters": PARAMETERS, "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    (tmp_path / ".aws-sam/build").mkdir(parents=True)
    (tmp_path / ".aws-sam/build/template.yaml").write_text(json.dumps(built))
    (tmp_path / "keyring.json").write_text(KEYRING + "\n")
    return tmp_path


@pytest.fixture
def deploy(checkout, server):
    """Runs a command in the checkout and answers yes; the parameters that the stack has then."""
    requests.post(f"{server}/moto-api/reset").raise_for_status()
    cloudformation = boto3.client("cloudformation", endpoint_url=server)
    make_bucket_for_artifacts(cloudformation)
    environment = os.environ | {
        "AWS_ENDPOINT_URL": server,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SAM_CLI_POLL_DELAY": "0.1",
    }

    def run(command, stack="job-status"):
        ran = subprocess.run(
            ["bash", "-c", command], cwd=checkout, env=environment, input="y\n", capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        (stack,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        has = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}
        origins = ast.literal_eval(has["AllowedOrigins"])  # moto gives a list as Python writes it
        return has | {"AllowedOrigins": ",".join(origins)}

    return run


def line_for(name):
    """The first line that the documents have for this parameter, and its value."""
    line = next(line for line in LINES if line.startswith(f"{name} = ") and not line.endswith('""'))
    return line, tomllib.loads(line)[name]


def test_a_first_deploy_with_the_keyring_as_a_parameter_sends_it_whole(deploy):
    assert deploy(WITH_KEYRING) == DEFAULTS | {"ApiKeys": KEYRING}


def test_a_first_deploy_with_the_keyring_in_s3_is_plain(checkout, deploy):
    line, ring = line_for("ApiKeysObject")
    edit(checkout / "parameters.toml", line)
    assert deploy("sam deploy") == DEFAULTS | {"ApiKeysObject": ring}


def test_a_stack_moves_its_keyring_to_s3(checkout, deploy):
    deploy(WITH_KEYRING)
    line, ring = line_for("ApiKeysObject")
    edit(checkout / "parameters.toml", line)
    (emptied,) = (command for command in COMMANDS if 'ApiKeys=""' in command)
    assert deploy(emptied) == DEFAULTS | {"ApiKeysObject": ring}


def test_a_changed_keyring_is_sent_with_a_new_revision_and_a_plain_deploy_keeps_both(checkout, deploy):
    deploy(WITH_KEYRING)
    (checkout / "keyring.json").write_text('{"keys":[]}')
    changed = DEFAULTS | {"ApiKeys": '{"keys":[]}', "Revision": "2"}
    assert deploy(WITH_NEW_KEYRING) == changed
    edit(checkout / "parameters.toml", "MemorySize = 512")
    assert deploy("sam deploy") == changed | {"MemorySize": "512"}


def test_a_changed_line_holds_in_every_later_deploy_until_it_is_changed_back(checkout, deploy):
    before = deploy(WITH_KEYRING)
    line, bucket = line_for("ExistingBucket")
    edit(checkout / "parameters.toml", line)
    assert deploy("sam deploy") == before | {"ExistingBucket": bucket}
    assert deploy("sam deploy") == before | {"ExistingBucket": bucket}
    edit(checkout / "parameters.toml", 'ExistingBucket = ""')
    assert deploy("sam deploy") == before


def test_a_parameter_of_the_file_that_is_also_on_the_command_line_is_for_one_deploy(deploy):
    (at_once,) = (command for command in COMMANDS if "Rollout=AllAtOnce" in command)
    before = deploy(WITH_KEYRING)
    assert deploy(at_once) == before | {"Rollout": "AllAtOnce"}
    assert deploy("sam deploy") == before


def test_the_function_has_the_processor_that_it_is_built_for(checkout, deploy):
    # `sam build` reads the same line; .ci/walk.py looks at what it makes.
    edit(checkout / "parameters.toml", 'Architecture = "x86_64"')
    assert deploy(WITH_KEYRING) == DEFAULTS | {"ApiKeys": KEYRING, "Architecture": "x86_64"}


def test_the_development_stack_has_a_file_of_its_own(checkout, deploy):
    line, ring = line_for("ApiKeysObject")
    edit(checkout / "parameters-dev.toml", line)
    of_its_own = {"Rollout": "AllAtOnce", "LogLevel": "DEBUG", "LogRetentionDays": "7", "ApiKeysObject": ring}
    assert deploy("sam deploy --config-env dev", stack="job-status-dev") == DEFAULTS | of_its_own


def test_a_checkouts_parameters_are_the_defaults():
    assert parameters_in(ROOT / "parameters.toml").items() <= DEFAULTS.items()


@pytest.mark.parametrize("file", ["parameters.toml", "parameters-dev.toml"])
def test_a_parameters_file_has_every_parameter_but_those_of_the_command_line(file):
    # What it did not have, a stack would keep from an earlier deploy.
    given = parameters_in(ROOT / file)
    assert given.keys() == PARAMETERS.keys() - ON_THE_COMMAND_LINE
    assert [name for name, value in given.items() if not accepts(name, value)] == []


def test_build_deploy_and_local_read_the_same_file():
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for name, file in [("default", "parameters.toml"), ("dev", "parameters-dev.toml")]:
        named = {command: section["parameters"].get("parameter_overrides") for command, section in config[name].items()}
        assert named.pop("global") == f"file://{file}"
        assert set(named.values()) == {None}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_names_the_file_first_and_parameters_that_the_template_accepts(command, tmp_path):
    (tmp_path / "keyring.json").write_text(KEYRING + "\n")
    shell = f"sam() {{ shift 2; printf '%s\\0' \"$@\"; }}; {command}"
    ran = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=True)
    file, *given = ran.stdout.removesuffix("\0").split("\0")
    assert file == "file://parameters.toml"
    parsed = CfnParameterOverridesType().convert(tuple(given), None, None)
    assert len(parsed) == len(given)
    assert [name for name, value in parsed.items() if not accepts(name, value)] == []


@pytest.mark.parametrize("line", LINES)
def test_a_documented_line_sets_a_parameter_to_what_the_template_accepts(line):
    ((name, value),) = tomllib.loads(line).items()
    assert accepts(name, str(value))


def test_a_keyring_without_the_quotes_of_the_documents_is_refused():
    # sam ends a value at the first quote or space, and takes what follows for other parameters.
    parsed = CfnParameterOverridesType().convert(('ApiKeys={"keys":[]}',), None, None)
    assert parsed == {"ApiKeys": "{"}
    assert not accepts("ApiKeys", parsed["ApiKeys"])
