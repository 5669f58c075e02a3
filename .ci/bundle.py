"""Deploys a release's bundle as its README has it, with the AWS CLI and with SAM, and moto as AWS.

    python .ci/bundle.py BUNDLE

The commands of the unpacked README.md are run as .ci/walk.py runs those of the pages. What the AWS CLI packages goes
through SAM's transform, and the function that comes out must be the bundle's, byte for byte.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import walk as walks
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
from walk import Failed, NotRun, Run, holds


class NoManagedPolicies:
    """SAM asks AWS for its managed policies' ARNs; this template names none."""

    def load(self):
        return {}


def names_the_function(output, walk):
    packaged = yaml_parse((walk.clone / "packaged.yaml").read_text())
    resources = transform(packaged, {"Rollout": "AllAtOnce"}, NoManagedPolicies())["Resources"]
    code = resources["StatusFunction"]["Properties"]["Code"]
    stored = walk.aws("s3").get_object(Bucket=code["S3Bucket"], Key=code["S3Key"])["Body"].read()
    holds(stored == (walk.clone / "function.zip").read_bytes(), "what is packaged is not the bundle's function.zip")


COMMANDS = {
    "gh attestation verify": NotRun("GitHub is out of reach"),
    "key=$(openssl rand -hex 32)": Run(),
    "printf '{\"keys\"": Run(),
    "aws cloudformation package": Run(names_the_function, on_aws=True),
    "aws cloudformation deploy": NotRun("moto makes no stack of a template that SAM has to transform"),
    "sam deploy": Run(on_aws=True, answer="n"),
    "sam list stack-outputs": NotRun("there is no stack"),
    "openssl dgst": Run(),
}


def main():
    _, bundle = sys.argv
    os.environ["AWS_DEFAULT_REGION"] = walks.REGION  # which the transform asks for
    walks.PAGES["the bundle's README.md"] = COMMANDS
    walks.BUCKETS.append("my-artifacts")
    with tempfile.TemporaryDirectory() as folder:
        # Not Python's: it forgets modes.
        subprocess.run(["unzip", "-q", Path(bundle).resolve()], cwd=folder, check=True)
        (unpacked,) = Path(folder).iterdir()
        try:
            page = "the bundle's README.md"
            steps = walks.plan(page, (unpacked / "README.md").read_text())
            with walks.aws() as address:
                walks.follow(page, steps, unpacked, address)
        except Failed as failure:
            sys.exit(f"FAILED: {failure}")


if __name__ == "__main__":
    main()
