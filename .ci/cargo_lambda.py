"""Sends sample events through `cargo lambda watch` and `cargo lambda invoke`, whose emulator has a deadline in 1970.

    python .ci/cargo_lambda.py LOCAL_BINARY FUNCTION_BINARY

cargo-lambda has to be on the PATH. `watch` would compile the function by itself, with other features of its
dependencies than the tests. Here it runs the emulator alone, which the built function asks for invocations.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = json.loads((ROOT / "events/env.json").read_text())["Parameters"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process):
    for _ in range(600):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            sys.exit(f"FAILED: {process.args} has ended")
        time.sleep(0.1)
    sys.exit(f"FAILED: nothing listens on port {port}")


def main():
    _, local, function = sys.argv
    http, s3, emulator = free_port(), free_port(), free_port()
    environment = os.environ | SETTINGS | {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local-secret",
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{emulator}/.rt",
        "AWS_LAMBDA_FUNCTION_NAME": "_",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "RUSTUP_DIST_SERVER": "http://127.0.0.1:1",  # the toolchain is there
    }
    lambda_ = ["cargo", "lambda"]
    at = ["--invoke-address", "127.0.0.1", "--invoke-port", str(emulator)]
    watch, invoke = [*lambda_, "watch", "--only-lambda-apis", *at], [*lambda_, "invoke", *at]
    processes = [subprocess.Popen([local, "--port", str(http), "--s3-listen", f"127.0.0.1:{s3}"])]
    try:
        wait_for(s3, processes[0])
        processes.append(subprocess.Popen(watch, cwd=ROOT, env=environment))
        wait_for(emulator, processes[1])
        processes.append(subprocess.Popen([function], env=environment))

        def answer(*event):
            done = subprocess.run([*invoke, *event], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60)
            return json.loads(done.stdout)

        for name, status in [("http-api-done", 200), ("rest-api-done", 200), ("http-api-not-found", 404)]:
            found = answer("--data-file", f"events/{name}.json")["statusCode"]
            if found != status:
                sys.exit(f"FAILED: {name} is answered {found}, not {status}")
        if "message" not in answer("--data-ascii", '{"source":"serverless-plugin-warmup"}'):
            sys.exit("FAILED: an event that is no HTTP request is not answered as such")
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
