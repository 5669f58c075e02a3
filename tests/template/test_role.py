"""What the function may do, statement by statement; test_stack.py tries it out."""

import pytest
from cloudformation import Stack
from deployments import (
    EVERY_WAY,
    EXISTING_BUCKET,
    EXISTING_DIRECTORY_BUCKET,
    KMS_KEY,
    NEW_BUCKET,
)


def test_the_role_may_read_the_created_buckets_status_files_and_write_its_log_and_traces():
    assert statements(Stack(**NEW_BUCKET)) == [
        allow("ReadStatusFiles", "s3:GetObject", "arn:aws:s3:::<JobsBucket>/jobs/*.json"),
        allow("TellMissingFromForbidden", "s3:ListBucket", "arn:aws:s3:::<JobsBucket>"),
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], "<FunctionLog.Arn>"),
        allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
    ]


def test_the_role_may_also_read_the_keyring_object_and_decrypt_with_the_customers_key():
    assert statements(Stack(**EXISTING_BUCKET)) == [
        allow("ReadStatusFiles", "s3:GetObject", "arn:aws:s3:::acme-jobs/toolkit/jobs/*.json"),
        allow("TellMissingFromForbidden", "s3:ListBucket", "arn:aws:s3:::acme-jobs"),
        allow("ReadKeyring", "s3:GetObject", "arn:aws:s3:::acme-config/job-status/keyring.json"),
        allow("DecryptThroughS3", "kms:Decrypt", KMS_KEY)
        | {"Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}},
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], "<FunctionLog.Arn>"),
        allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
    ]


def test_the_role_may_only_make_sessions_to_read_a_directory_bucket():
    assert statements(Stack(**NEW_BUCKET, ExistingBucket="acme-jobs--use1-az4--x-s3")) == [
        sessions("ReadStatusFilesInSessions", "acme-jobs--use1-az4--x-s3"),
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], "<FunctionLog.Arn>"),
        allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
    ]


def test_the_role_may_also_make_sessions_to_read_the_keyrings_directory_bucket_and_those_need_the_key():
    assert statements(Stack(**EXISTING_DIRECTORY_BUCKET)) == [
        sessions("ReadStatusFilesInSessions", "acme-jobs--use1-az4--x-s3"),
        sessions("ReadKeyringInSessions", "acme-config--use1-az4--x-s3"),
        allow("DecryptThroughS3", "kms:Decrypt", KMS_KEY)
        | {"Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}},
        allow("DecryptThroughSessions", ["kms:Decrypt", "kms:GenerateDataKey"], KMS_KEY)
        | {"Condition": {"StringEquals": {"kms:ViaService": ["s3.us-east-1.amazonaws.com", "s3express.us-east-1.amazonaws.com"]}}},
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], "<FunctionLog.Arn>"),
        allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
    ]


@pytest.mark.parametrize(
    "bucket, is_directory",
    [
        ("a--use1-az4--x-s3", True),
        ("a--x-s3", True),
        ("a--x-s3--x-s3", True),
        ("a--x-s3-b", False),
        ("a--use1-az4--x-s3b", False),
        ("--x-s3a", False),
        ("a-x-s3", False),
        ("a", False),
    ],
)
def test_a_directory_bucket_is_known_by_the_end_of_its_name(bucket, is_directory):
    # CloudFormation refuses a template whose Select has nothing to select; the resolver raises too.
    for key in ("keyring.json", "a/b/c.json", "a--x-s3/k.json"):
        stack = Stack(ExistingBucket=bucket, ApiKeysObject=f"s3://{bucket}/{key}")
        assert stack.conditions["InDirectoryBucket"] is is_directory
        assert stack.conditions["KeyringInDirectoryBucket"] is is_directory
    assert [Stack(**NEW_BUCKET).conditions[name] for name in ("InDirectoryBucket", "KeyringInDirectoryBucket")] == [
        False,
        False,
    ]


@EVERY_WAY
def test_the_function_has_this_role_and_nothing_is_attached_to_it_from_elsewhere(parameters):
    stack = Stack(**parameters)
    assert stack.properties("StatusFunction")["Role"] == "<StatusFunctionRole.Arn>"
    role = stack.properties("StatusFunctionRole")
    assert role.keys() == {"AssumeRolePolicyDocument", "Policies"}
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
    assert stack.of_type("AWS::IAM::Role").keys() == {"StatusFunctionRole", "CodeDeployServiceRole"}
    assert {r["Type"] for r in stack.resources.values() if r["Type"].startswith("AWS::IAM::")} == {"AWS::IAM::Role"}


def statements(stack):
    (policy,) = stack.properties("StatusFunctionRole")["Policies"]
    return policy["PolicyDocument"]["Statement"]


def allow(sid, action, resource):
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource}


def sessions(sid, bucket):
    """Sessions to read, for one directory bucket."""
    arn = f"arn:aws:s3express:us-east-1:123456789012:bucket/{bucket}"
    only = {"Condition": {"StringEquals": {"s3express:SessionMode": "ReadOnly"}}}
    return allow(sid, "s3express:CreateSession", arn) | only
