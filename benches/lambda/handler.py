"""What most people would deploy instead: the same endpoint, plainly, with boto3. Part of the
benchmark: it polls the Runtime API by itself, as lightly as Python can."""

import hashlib
import http.client
import json
import os
import re
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

KEYS = {key["sha256"]: key for key in json.loads(os.environ["API_KEYS"])["keys"]}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
S3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, connect_timeout=0.5, read_timeout=1.5))


def handler(event):
    started = time.monotonic()
    presented = event["headers"].get("x-api-key", "")
    if hashlib.sha256(presented.encode()).hexdigest() not in KEYS:
        return 401, {"error": "Unauthorized", "code": 401}
    job_id = json.loads(event["body"])["job_id"].lower()
    if not UUID.fullmatch(job_id):
        return 400, {"error": "job_id is not a UUID", "code": 400}
    try:
        status = S3.get_object(Bucket=os.environ["JOBS_BUCKET"], Key=f"{job_id}.json")["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return 404, {"error": "Job not found", "job_id": job_id}
        return 500, {"error": "Failed to retrieve job status", "code": 500}
    run_time = round(time.monotonic() - started, 3)
    return 200, {
        "endpoint": "/v1/toolkit/job/status", "code": 200, "id": None, "job_id": job_id, "response": json.loads(status),
        "message": "success", "pid": os.getpid(), "queue_id": 1, "run_time": run_time, "queue_time": 0.0,
        "total_time": run_time, "queue_length": 0, "build_number": "0",
    }


api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    invocation = api.getresponse()
    request_id = invocation.headers["lambda-runtime-aws-request-id"]
    status, body = handler(json.loads(invocation.read()))
    answer = json.dumps({"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)})
    api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", answer)
    api.getresponse().read()
    print(json.dumps({"message": "request", "request_id": request_id, "status": status}), flush=True)
