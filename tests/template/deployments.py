"""The ways to deploy, as parameters of a stack, and values for the other parameters."""

import pytest

KEYRING = '{"keys":[]}'
KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/0e9f0c6e-55b5-4d0e-8b0f-2f1c4d0e8b0f"
TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/2f1c4d0e-8b0f-4d0e-8b0f-0e9f0c6e55b5"

NEW_BUCKET = {"ApiKeys": KEYRING}
EXISTING_BUCKET = {
    "ExistingBucket": "acme-jobs",
    "JobsPrefix": "toolkit/jobs/",
    "ApiKeysObject": "s3://acme-config/job-status/keyring.json",
    "KmsKeyArn": KMS_KEY,
}
EXISTING_DIRECTORY_BUCKET = {
    "ExistingBucket": "acme-jobs--use1-az4--x-s3",
    "ApiKeysObject": "s3://acme-config--use1-az4--x-s3/job-status/keyring.json",
    "KmsKeyArn": KMS_KEY,
}

EVERY_WAY = pytest.mark.parametrize(
    "parameters",
    [NEW_BUCKET, EXISTING_BUCKET, EXISTING_DIRECTORY_BUCKET],
    ids=["new bucket", "existing bucket", "existing directory bucket"],
)
