"""Where status files are: a bucket of the stack, or one that was there before."""

from cloudformation import Stack
from deployments import EXISTING_BUCKET, EXISTING_DIRECTORY_BUCKET, KMS_KEY, NEW_BUCKET


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


def test_an_existing_bucket_is_left_alone():
    for parameters in (EXISTING_BUCKET, EXISTING_DIRECTORY_BUCKET):
        stack = Stack(**parameters)
        assert not [name for name, resource in stack.resources.items() if resource["Type"].startswith("AWS::S3")]
        assert stack.outputs["Bucket"] == parameters["ExistingBucket"]


def encryption(rule):
    return {"ServerSideEncryptionConfiguration": [rule]}
