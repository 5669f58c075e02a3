import os
import sys
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

sys.path.append(str(Path(__file__).parents[2] / ".ci"))  # for what `sam deploy` needs in moto, in walk.py

# SAM's transform and boto3 want a region; nothing here ever talks to AWS, and no real credentials may be at hand.
os.environ.update(
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    SAM_CLI_TELEMETRY="0",
)


@pytest.fixture(scope="module")
def server():
    """moto's AWS on a port of its own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    # By this name moto finds the template that `sam deploy` uploads; by number it takes S3's address for a bucket's.
    yield f"http://localhost:{port}"
    server.stop()
