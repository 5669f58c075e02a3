"""What an operator may set: described, grouped, checked before anything is touched."""

import re

import pytest
from cloudformation import Stack, source
from deployments import (
    CERTIFICATE,
    EXISTING_BUCKET,
    EXISTING_DIRECTORY_BUCKET,
    KEYRING,
    NEW_BUCKET,
)

TEMPLATE = source()
PARAMETERS = TEMPLATE["Parameters"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_described_and_bounded_and_its_default_is_within_the_bounds(name):
    parameter = PARAMETERS[name]
    assert parameter["Description"].endswith(".")
    assert accepts(name, str(parameter["Default"]))
    match parameter["Type"]:
        case "Number":
            assert "AllowedValues" in parameter or {"MinValue", "MaxValue"} <= parameter.keys()
        case "String" | "CommaDelimitedList":
            assert "AllowedValues" in parameter or {"AllowedPattern", "ConstraintDescription"} <= parameter.keys()
        case other:
            pytest.fail(f"unexpected type {other}")


def test_each_parameter_is_in_exactly_one_group():
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)


@pytest.mark.parametrize(
    "name, good, bad",
    [
        ("ApiKeys", ["", '{"keys":[]}', '{\n"keys": []\n}'], ["acme", "[]", "s3://acme/keyring.json"]),
        (
            "ApiKeysObject",
            ["", "s3://acme/keyring.json", "s3://acme-1/a/b_c.json", "s3://acme--use1-az4--x-s3/keyring.json"],
            ["acme/keyring.json", "s3://acme", "s3://acme/*", "s3://Acme/k"],
        ),
        (
            "ExistingBucket",
            ["", "acme-jobs", "acme.jobs", "acme-jobs--use1-az4--x-s3"],
            ["Acme", "s3://acme", "arn:aws:s3:::acme", "a", "acme/jobs"],
        ),
        ("JobsPrefix", ["", "jobs/", "a/b/"], ["jobs", "/jobs/", "jobs//", "jo bs/", "*/"]),
        (
            "KmsKeyArn",
            ["", "arn:aws-cn:kms:cn-north-1:123456789012:key/a1-b2"],
            ["alias/jobs", "arn:aws:kms:us-east-1:123456789012:alias/jobs", "*"],
        ),
        ("UnfinishedStates", ["", "processing", "processing,in progress"], [",", "a,,b", "a,", "x" * 1025]),
        ("ReservedConcurrency", ["", "0", "100"], ["-1", "1.5", "many"]),
        ("Revision", ["1", "2025-11-30", "v1.2_3"], ["", "two words", "12345678901234567"]),
        (
            "AllowedOrigins",
            ["", "*", "https://app.example.com,http://localhost:3000"],
            ["app.example.com", "https://app.example.com/", "https://a b"],
        ),
        ("DomainName", ["", "api.example.com"], ["https://api.example.com", "localhost", "API.example.com"]),
        ("CertificateArn", ["", CERTIFICATE], ["api.example.com", "arn:aws:iam::123456789012:server-certificate/x"]),
        ("BasePath", ["", "jobs", "a/b"], ["/jobs", "jobs/", "a//b", "a b"]),
        ("Gateway", ["HttpApi", "None"], ["", "none", "RestApi"]),
        ("DisableExecuteApiEndpoint", ["true", "false"], ["", "True", "yes"]),
        ("AlarmTopicArn", ["", "arn:aws:sns:eu-west-1:123456789012:on-call"], ["on-call", "ops@example.com"]),
    ],
)
def test_a_pattern_accepts_what_is_meant_and_nothing_else(name, good, bad):
    assert [value for value in good if not accepts(name, value)] == []
    assert [value for value in bad if accepts(name, value)] == []


def test_the_rules_accept_every_way_to_deploy():
    for parameters in (NEW_BUCKET, EXISTING_BUCKET, EXISTING_DIRECTORY_BUCKET):
        assert Stack(**parameters).refusals() == []
    domain = {"DomainName": "api.example.com", "CertificateArn": CERTIFICATE}
    assert Stack(**NEW_BUCKET, **domain, BasePath="jobs").refusals() == []
    assert Stack(**NEW_BUCKET, **domain, DisableExecuteApiEndpoint="true").refusals() == []
    assert Stack(**NEW_BUCKET, Gateway="None").refusals() == []


@pytest.mark.parametrize(
    "parameters, refusal",
    [
        ({}, "exactly one of ApiKeys and ApiKeysObject"),
        ({"ApiKeys": KEYRING, "ApiKeysObject": "s3://acme/keyring.json"}, "exactly one of ApiKeys and ApiKeysObject"),
        ({"ApiKeys": KEYRING, "JobsPrefix": ""}, "needs a JobsPrefix"),
        ({"ApiKeys": KEYRING, "DomainName": "api.example.com"}, "go together"),
        ({"ApiKeys": KEYRING, "CertificateArn": CERTIFICATE}, "go together"),
        ({"ApiKeys": KEYRING, "BasePath": "jobs"}, "go together"),
        ({"ApiKeys": KEYRING, "DisableExecuteApiEndpoint": "true"}, "nobody could reach the API"),
        (
            {"ApiKeys": KEYRING, "Gateway": "None", "DomainName": "api.example.com", "CertificateArn": CERTIFICATE},
            "Gateway=None makes none",
        ),
    ],
)
def test_the_rules_refuse_what_no_pattern_can(parameters, refusal):
    (only,) = Stack(**parameters).refusals()
    assert refusal in only


def test_an_existing_bucket_may_hold_status_files_at_its_root():
    assert Stack(**EXISTING_BUCKET | {"JobsPrefix": ""}).refusals() == []


def accepts(name, value):
    parameter = PARAMETERS[name]
    values = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    return all(
        re.search(parameter.get("AllowedPattern", ""), value) is not None
        and len(value) <= parameter.get("MaxLength", 4096)
        and value in map(str, parameter.get("AllowedValues", [value]))
        and float(parameter.get("MinValue", "-inf"))
        <= number(parameter, value)
        <= float(parameter.get("MaxValue", "inf"))
        for value in values
    )


def number(parameter, value):
    return float(value) if parameter["Type"] == "Number" else 0.0
