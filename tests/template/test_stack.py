"""The stack created, and its role put to the test, in moto's AWS.

moto makes the bucket, the roles, the log groups and the function with its version. The API, the
alias, the bucket's policy, alarms and metric filters it leaves out with a warning, so those are
asserted on the template (test_front_door.py, test_bucket.py, test_observation.py).
"""

import ast
import copy
import io
import json
import zipfile

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from cloudformation import PSEUDO, transformed
from deployments import EXISTING_BUCKET, EXISTING_DIRECTORY_BUCKET, NEW_BUCKET

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS")

JOB = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7.json"


class Aws:
    """moto's AWS on a port of its own, empty but for the function's artifact."""

    def __init__(self, url):
        self.url = url
        requests.post(f"{url}/moto-api/reset").raise_for_status()
        artifact = io.BytesIO()
        with zipfile.ZipFile(artifact, "w") as archive:
            archive.writestr("bootstrap", "")
        self.client("s3").create_bucket(Bucket="artifacts")
        self.client("s3").put_object(Bucket="artifacts", Key="job-status.zip", Body=artifact.getvalue())

    def client(self, service, **credentials):
        return boto3.client(
            service, endpoint_url=self.url, config=Config(retries={"total_max_attempts": 1}), **credentials
        )

    def deploy(self, parameters):
        template = copy.deepcopy(transformed())
        # These refer to alarms and alias, and moto stumbles over references to what it leaves out.
        for name, resource in list(template["Resources"].items()):
            if resource["Type"] in ("AWS::CloudWatch::Dashboard", "AWS::Lambda::Permission"):
                del template["Resources"][name]
        del template["Outputs"]["DashboardUrl"]
        self.client("cloudformation").create_stack(
            StackName=PSEUDO["AWS::StackName"],
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = self.client("cloudformation").describe_stacks()["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def put(self, bucket, *keys):
        for key in keys:
            self.client("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")

    def s3_of_the_function(self, function):
        """S3 as the function sees it; from now on policies are enforced."""
        role = self.client("lambda").get_function_configuration(FunctionName=function)["Role"]
        self._put_policies_again(role.split("/")[-1])
        given = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        requests.post(f"{self.url}/moto-api/reset-auth", data=b"0").raise_for_status()
        return self.client(
            "s3",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def _put_policies_again(self, role):
        # moto's CloudFormation leaves them as Python's repr, with None for NoValue; its enforcement reads JSON.
        for name, document in self.policies(role).items():
            self.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))

    def policies(self, role):
        """Name → document."""
        iam, documents = self.client("iam"), {}
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = ast.literal_eval(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
            document["Statement"] = [statement for statement in document["Statement"] if statement]
            documents[name] = document
        return documents


@pytest.fixture
def aws(server):
    yield Aws(server)
    requests.post(f"{server}/moto-api/reset-auth", data=b"inf").raise_for_status()


def refused(call, **arguments):
    """The error code that `call` is answered with."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def test_a_stack_with_a_new_bucket_is_created(aws):
    made = aws.deploy(NEW_BUCKET)
    (rule,) = aws.client("s3").get_bucket_encryption(Bucket=made["Bucket"])["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"

    function = aws.client("lambda").get_function_configuration(FunctionName=made["Function"])
    assert function["Environment"]["Variables"] == {
        "JOBS_BUCKET": made["Bucket"],
        "JOBS_PREFIX": "jobs/",
        "STALLED_AFTER_SECONDS": 0,
        "UNFINISHED_STATES": "",
        "API_KEYS": '{"keys":[]}',
    }
    assert (function["MemorySize"], function["Timeout"], function["Runtime"]) == (256, 10, "provided.al2023")
    versions = aws.client("lambda").list_versions_by_function(FunctionName=made["Function"])["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1"]

    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == {
        made["FunctionLog"]: 30,
        made["AccessLog"]: 30,
    }


def test_a_stack_without_an_api_of_its_own_is_created(aws):
    made = aws.deploy(NEW_BUCKET | {"Gateway": "None"})
    assert made.keys() == {"Bucket", "Function", "FunctionLog"}
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == [made["FunctionLog"]]


def test_a_stack_with_an_existing_bucket_is_created_and_makes_no_other(aws):
    aws.client("s3").create_bucket(Bucket="acme-jobs")
    made = aws.deploy(EXISTING_BUCKET)
    assert made["Bucket"] == "acme-jobs"
    assert {bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]} == {"artifacts", "acme-jobs"}
    variables = aws.client("lambda").get_function_configuration(FunctionName=made["Function"])["Environment"][
        "Variables"
    ]
    assert variables == {
        "JOBS_BUCKET": "acme-jobs",
        "JOBS_PREFIX": "toolkit/jobs/",
        "STALLED_AFTER_SECONDS": 0,
        "UNFINISHED_STATES": "",
        "API_KEYS": "s3://acme-config/job-status/keyring.json",
    }


def test_a_stack_with_an_existing_directory_bucket_is_created_with_a_role_for_its_sessions(aws):
    made = aws.deploy(EXISTING_DIRECTORY_BUCKET)
    assert made["Bucket"] == "acme-jobs--use1-az4--x-s3"
    role = aws.client("lambda").get_function_configuration(FunctionName=made["Function"])["Role"].split("/")[-1]
    (document,) = aws.policies(role).values()
    assert [statement["Resource"] for statement in document["Statement"] if "s3express:CreateSession" in statement["Action"]] == [
        "arn:aws:s3express:us-east-1:123456789012:bucket/acme-jobs--use1-az4--x-s3",
        "arn:aws:s3express:us-east-1:123456789012:bucket/acme-config--use1-az4--x-s3",
    ]


def test_the_function_reads_a_job_and_is_told_404_for_a_missing_one(aws):
    made = aws.deploy(NEW_BUCKET)
    aws.put(made["Bucket"], f"jobs/{JOB}", f"jobs/acme/{JOB}")
    s3 = aws.s3_of_the_function(made["Function"])
    assert s3.get_object(Bucket=made["Bucket"], Key=f"jobs/{JOB}")["Body"].read() == b"{}"
    assert s3.get_object(Bucket=made["Bucket"], Key=f"jobs/acme/{JOB}")["Body"].read() == b"{}"
    assert (
        refused(s3.get_object, Bucket=made["Bucket"], Key="jobs/00000000-0000-4000-8000-000000000000.json")
        == "NoSuchKey"
    )
    # moto says 404 either way; S3 does so only to those who may list the bucket.
    s3.list_objects_v2(Bucket=made["Bucket"])


@pytest.mark.parametrize(
    "call, arguments",
    [
        ("put_object", {"Key": f"jobs/{JOB}", "Body": b"{}"}),
        ("delete_object", {"Key": f"jobs/{JOB}"}),
        ("get_object", {"Key": JOB}),
        ("get_object", {"Key": f"other/{JOB}"}),
        ("get_object", {"Key": "jobs/notes.txt"}),
        ("get_object", {"Bucket": "neighbour", "Key": f"jobs/{JOB}"}),
        ("list_objects_v2", {"Bucket": "neighbour"}),
        ("get_object_acl", {"Key": f"jobs/{JOB}"}),
        ("put_bucket_policy", {"Policy": "{}"}),
        ("list_buckets", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(map(str, value.values())),
)
def test_the_function_may_do_nothing_else(aws, call, arguments):
    aws.client("s3").create_bucket(Bucket="neighbour")
    made = aws.deploy(NEW_BUCKET)
    keys = [f"jobs/{JOB}", JOB, f"other/{JOB}", "jobs/notes.txt"]
    aws.put(made["Bucket"], *keys)
    aws.put("neighbour", f"jobs/{JOB}")
    s3 = aws.s3_of_the_function(made["Function"])
    bucket = {} if call == "list_buckets" else {"Bucket": made["Bucket"]}
    assert refused(getattr(s3, call), **bucket | arguments) == "AccessDenied"


def test_the_function_reads_the_keyring_object_and_no_other_beside_it(aws):
    for bucket in ("acme-jobs", "acme-config"):
        aws.client("s3").create_bucket(Bucket=bucket)
    made = aws.deploy(EXISTING_BUCKET)
    aws.put("acme-config", "job-status/keyring.json", "job-status/other.json")
    aws.put("acme-jobs", f"toolkit/jobs/{JOB}", f"jobs/{JOB}")
    s3 = aws.s3_of_the_function(made["Function"])
    s3.get_object(Bucket="acme-config", Key="job-status/keyring.json")
    s3.get_object(Bucket="acme-jobs", Key=f"toolkit/jobs/{JOB}")
    assert refused(s3.get_object, Bucket="acme-config", Key="job-status/other.json") == "AccessDenied"
    assert refused(s3.get_object, Bucket="acme-jobs", Key=f"jobs/{JOB}") == "AccessDenied"
    assert refused(s3.put_object, Bucket="acme-config", Key="job-status/keyring.json", Body=b"{}") == "AccessDenied"
    assert refused(s3.list_objects_v2, Bucket="acme-config") == "AccessDenied"
