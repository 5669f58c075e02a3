"""The function's configuration, and how a new version takes over."""

import json
import re

import pytest
from cloudformation import TEMPLATE, Stack, source
from deployments import EVERY_WAY, EXISTING_BUCKET, NEW_BUCKET

WRITTEN = source()["Resources"]["StatusFunction"]


@pytest.mark.parametrize(
    "parameters, environment",
    [
        (
            NEW_BUCKET,
            {
                "JOBS_BUCKET": "<JobsBucket>",
                "JOBS_PREFIX": "jobs/",
                "STALLED_AFTER_SECONDS": "0",
                "UNFINISHED_STATES": "",
                "API_KEYS": '{"keys":[]}',
            },
        ),
        (
            EXISTING_BUCKET,
            {
                "JOBS_BUCKET": "acme-jobs",
                "JOBS_PREFIX": "toolkit/jobs/",
                "STALLED_AFTER_SECONDS": "0",
                "UNFINISHED_STATES": "",
                "API_KEYS": "s3://acme-config/job-status/keyring.json",
            },
        ),
    ],
    ids=["new bucket", "existing bucket"],
)
def test_the_function_is_configured(parameters, environment):
    function = Stack(**parameters).properties("StatusFunction")
    assert function["Environment"] == {"Variables": environment}
    assert (function["Runtime"], function["Handler"], function["Architectures"]) == (
        "provided.al2023",
        "bootstrap",
        ["arm64"],
    )
    assert (function["MemorySize"], function["Timeout"]) == ("256", 10)
    assert function["TracingConfig"] == {"Mode": "PassThrough"}
    assert function["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": "<FunctionLog>",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "WARN",
    }
    assert "ReservedConcurrentExecutions" not in function


def test_concurrency_can_be_reserved():
    assert (
        Stack(**NEW_BUCKET, ReservedConcurrency=50).properties("StatusFunction")["ReservedConcurrentExecutions"] == "50"
    )


def test_sam_builds_the_binary_with_cargo_lambda():
    metadata = WRITTEN["Metadata"]
    assert (metadata["BuildMethod"], metadata["BuildProperties"]) == ("rust-cargolambda", {"Binary": "job-status"})


def test_sam_local_can_set_what_the_sample_environment_sets():
    # `sam local --env-vars` drops, without a word, what the template does not name; credentials it takes elsewhere.
    sample = json.loads((TEMPLATE.parent / "events" / "env.json").read_text())["Parameters"]
    named = WRITTEN["Properties"]["Environment"]["Variables"]
    assert sample.keys() - named.keys() <= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_both_logs_are_kept_as_long_as_asked():
    logs = Stack(**NEW_BUCKET, LogRetentionDays=90).of_type("AWS::Logs::LogGroup")
    assert {name: log["RetentionInDays"] for name, log in logs.items()} == {"FunctionLog": "90", "AccessLog": "90"}


@EVERY_WAY
def test_the_alias_moves_by_canary_and_back_when_an_alarm_rings(parameters):
    stack = Stack(**parameters)
    alias = stack.resources["StatusFunctionAliaslive"]
    (version,) = stack.of_type("AWS::Lambda::Version")
    assert alias["Properties"] == {
        "Name": "live",
        "FunctionName": "<StatusFunction>",
        "FunctionVersion": f"<{version}.Version>",
    }
    assert (
        alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"] == "<StatusFunctionDeploymentGroup>"
    )
    group = stack.properties("StatusFunctionDeploymentGroup")
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert group["AlarmConfiguration"] == {
        "Enabled": True,
        "Alarms": [{"Name": "<FunctionErrorsAlarm>"}, {"Name": "<FailureRatioAlarm>"}, {"Name": "<LatencyAlarm>"}],
    }


@pytest.mark.parametrize("rollout", source()["Parameters"]["Rollout"]["AllowedValues"])
def test_every_rollout_is_watched_but_all_at_once(rollout):
    groups = Stack(**NEW_BUCKET, Rollout=rollout).of_type("AWS::CodeDeploy::DeploymentGroup")
    configs = [group["DeploymentConfigName"] for group in groups.values()]
    assert configs == ([] if rollout == "AllAtOnce" else [f"CodeDeployDefault.Lambda{rollout}"])


def test_a_changed_parameter_of_the_function_publishes_a_version():
    # Callers reach the alias: what only changes the unpublished function never reaches them. SAM publishes on changes
    # of the template; a parameter's value must be in the version's description. ReservedConcurrency is no part of a
    # version; ApiKeys and UnfinishedStates are too long to be in it, and Rollout is no part of the function.
    properties = WRITTEN["Properties"]
    in_description = parameters_in(properties["VersionDescription"])
    assert parameters_in(properties) - in_description == {
        "ReservedConcurrency",
        "ApiKeys",
        "UnfinishedStates",
        "Rollout",
    }

    before, after = (Stack(**NEW_BUCKET, MemorySize=memory) for memory in (256, 512))
    (old,), (new,) = (stack.of_type("AWS::Lambda::Version").values() for stack in (before, after))
    assert old["Description"] != new["Description"]


def test_a_versions_description_never_outgrows_lambdas_limit():
    parameters = source()["Parameters"]
    text = WRITTEN["Properties"]["VersionDescription"]["Fn::Sub"]

    def longest(found):
        parameter = parameters[found[1]]
        values = parameter.get("AllowedValues") or [parameter.get("MaxValue") or "x" * parameter["MaxLength"]]
        return max(map(str, values), key=len)

    assert len(re.sub(r"\$\{(\w+)\}", longest, text)) <= 256


def parameters_in(value):
    """Names of the parameters that a part of the template refers to."""
    text = json.dumps(value)
    names = set(re.findall(r'"Ref": "(\w+)"', text)) | set(re.findall(r"\$\{(\w+)\}", text))
    conditions = set(re.findall(r'"Fn::If": \["(\w+)"', text))
    for condition in conditions:
        names |= parameters_in(source()["Conditions"][condition])
    return names & source()["Parameters"].keys()
