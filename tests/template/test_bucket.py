"""Where status files are: a bucket of the stack, or one that was there before."""

from cloudformation import Stack
from deployments import (
    EXISTING_BUCKET,
    EXISTING_DIRECTORY_BUCKET,
    KMS_KEY,
    NEW_BUCKET,
    NEW_DIRECTORY_BUCKET,
)


def test_a_created_bucket_is_private_encrypted_tls_only_and_outlives_the_stack():
    stack = Stack(**NEW_BUCKET)
    assert stack.resources["JobsBucket"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert stack.resources["JobsBucket"]["UpdateReplacePolicy"] == "Retain"
    assert stack.properties("JobsBucket") == {
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "BucketEncryption": encryption({"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}),
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "AbandonedUploads",
                    "Status": "Enabled",
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                },
                {"Id": "StatusFiles", "Status": "Enabled", "Prefix": "jobs/", "ExpirationInDays": "30"},
            ]
        },
    }
    assert stack.resources["JobsBucketPolicy"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert stack.properties("JobsBucketPolicy") == {
        "Bucket": "<JobsBucket>",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": ["<JobsBucket.Arn>", "<JobsBucket.Arn>/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        },
    }


def test_a_created_bucket_takes_the_customers_key():
    bucket = Stack(**NEW_BUCKET, KmsKeyArn=KMS_KEY).properties("JobsBucket")
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KMS_KEY}
    assert bucket["BucketEncryption"] == encryption(
        {"ServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    )


def test_status_files_can_be_kept_for_ever():
    (rule,) = Stack(**NEW_BUCKET, StatusExpiryDays=0).properties("JobsBucket")["LifecycleConfiguration"]["Rules"]
    assert rule["Id"] == "AbandonedUploads"


def test_a_created_directory_bucket_is_encrypted_tls_only_emptied_by_s3_and_outlives_the_stack():
    stack = Stack(**NEW_DIRECTORY_BUCKET)
    assert not [name for name, resource in stack.resources.items() if resource["Type"].startswith("AWS::S3::")]
    for name in ("JobsDirectoryBucket", "JobsDirectoryBucketPolicy"):
        assert stack.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert stack.resources[name]["UpdateReplacePolicy"] == "Retain"
    # Without a name: CloudFormation makes one that ends as it has to.
    assert stack.properties("JobsDirectoryBucket") == {
        "LocationName": "use1-az4",
        "DataRedundancy": "SingleAvailabilityZone",
        "BucketEncryption": encryption({"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}),
        "LifecycleConfiguration": Stack(**NEW_BUCKET).properties("JobsBucket")["LifecycleConfiguration"],
    }
    assert stack.properties("JobsDirectoryBucketPolicy") == {
        "Bucket": "<JobsDirectoryBucket>",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3express:*",
                    "Resource": "<JobsDirectoryBucket.Arn>",
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
                {
                    "Sid": "LifecycleMayDelete",
                    "Effect": "Allow",
                    "Principal": {"Service": "lifecycle.s3.amazonaws.com"},
                    "Action": "s3express:CreateSession",
                    "Resource": "<JobsDirectoryBucket.Arn>",
                    "Condition": {
                        "StringEquals": {"s3express:SessionMode": "ReadWrite", "aws:SourceAccount": "123456789012"}
                    },
                },
            ],
        },
    }
    assert stack.outputs["Bucket"] == "<JobsDirectoryBucket>"
    variables = stack.properties("StatusFunction")["Environment"]["Variables"]
    assert variables["JOBS_BUCKET"] == "<JobsDirectoryBucket>"


def test_a_created_directory_bucket_takes_the_customers_key_and_the_days():
    bucket = Stack(**NEW_DIRECTORY_BUCKET, KmsKeyArn=KMS_KEY, StatusExpiryDays=0).properties("JobsDirectoryBucket")
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KMS_KEY}
    assert bucket["BucketEncryption"] == encryption(
        {"ServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    )
    assert [rule["Id"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == ["AbandonedUploads"]


def test_an_existing_bucket_is_left_alone():
    for parameters in (EXISTING_BUCKET, EXISTING_DIRECTORY_BUCKET):
        stack = Stack(**parameters)
        assert not [name for name, resource in stack.resources.items() if resource["Type"].startswith("AWS::S3")]
        assert stack.outputs["Bucket"] == parameters["ExistingBucket"]


def encryption(rule):
    return {"ServerSideEncryptionConfiguration": [rule]}
