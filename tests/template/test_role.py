"""What the function may do, statement by statement; test_stack.py tries it out."""

from cloudformation import Stack
from deployments import BOTH, EXISTING_BUCKET, KMS_KEY, NEW_BUCKET


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


@BOTH
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
