"""A Docker engine that has the image which `sam local` runs functions in.

The machine's own engine, if one answers; else one that is started here, with a folder and a socket of its own, and
ended with everything in it. The image is Amazon's where it can be pulled. Where it cannot, Debian 11 stands in under
its name: a minimal system with glibc 2.31, older than the 2.34 of Amazon Linux 2023. Its packages are unpacked and not
set up: a function needs glibc alone, and sam a shell. sam brings the emulator itself.
"""

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
IMAGE = f"public.ecr.aws/lambda/provided:al2023-{ARCHITECTURE}"


def succeeds(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


@contextlib.contextmanager
def engine():
    """Commands that are run meanwhile find it in the environment."""
    with contextlib.ExitStack() as stack:
        if not succeeds("docker", "info"):
            stack.enter_context(started())
        if succeeds("docker", "pull", "--quiet", IMAGE):
            print(f"{IMAGE} is pulled", flush=True)
        else:
            print(f"{IMAGE} cannot be pulled: Debian 11 stands in", flush=True)
            stand_in()
        stack.enter_context(set_in_environment(SAM_SKIP_PULL_IMAGE="1"))
        yield


@contextlib.contextmanager
def set_in_environment(**variables):
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


@contextlib.contextmanager
def started():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, open(f"{folder}/log", "w") as log:
        socket = f"unix://{folder}/socket"
        paths = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
        process = subprocess.Popen(["dockerd", "--host", socket, *paths], stdout=log, stderr=log)
        try:
            with set_in_environment(DOCKER_HOST=socket):
                for _ in range(600):  # tenths of a second
                    if succeeds("docker", "info"):
                        break
                    if process.poll() is not None:
                        sys.exit(f"dockerd ended with {process.returncode}:\n{Path(log.name).read_text()}")
                    time.sleep(0.1)
                else:
                    sys.exit(f"dockerd does not answer:\n{Path(log.name).read_text()}")
                yield
        finally:
            process.terminate()
            process.wait(timeout=60)


def stand_in():
    with tempfile.TemporaryDirectory() as folder:
        command = ["debootstrap", "--foreign", "--variant=minbase", "bullseye", f"{folder}/root"]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            sys.exit(f"debootstrap ended with {made.returncode}:\n{made.stdout[-4000:]}{made.stderr}")
        # A package's set-up would have made it. Without it glibc does not read /etc/hosts, where --add-host writes.
        Path(f"{folder}/root/etc/nsswitch.conf").write_text("hosts: files dns\n")
        packed = subprocess.Popen(["tar", "-C", f"{folder}/root", "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", IMAGE], stdin=packed.stdout, stdout=subprocess.DEVNULL, check=True)
        if packed.wait():
            sys.exit(f"tar ended with {packed.returncode}")
