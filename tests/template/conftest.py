import os

# SAM's transform and boto3 want a region; nothing here ever talks to AWS, and no real credentials may be at hand.
os.environ.update(
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    SAM_CLI_TELEMETRY="0",
)
