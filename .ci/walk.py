"""Walks the pages that have commands: runs their shell blocks, as a reader would.

    python .ci/walk.py CLONE        README.md and events/README.md, in a fresh clone
    python .ci/walk.py --quick      QUICK alone, in this folder: what a newcomer runs first, with nothing but Rust
    python .ci/walk.py --docs       the pages in docs, in a folder of their own, with the programs that are built

The repository is cloned into CLONE, together with changes that git knows of but nobody has committed. The `sh` blocks
of a page run in one shell, command after command; the lines of its `toml` blocks go into parameters.toml. PAGES says
for each command how it is run. A command that PAGES does not know fails the walk before anything runs, and so does an
entry of PAGES that no command needs: a new block cannot be forgotten, and a removed one leaves nothing behind.

AWS is moto. It cannot make the stack, so `sam deploy` is answered with no when it asks whether to go on; what it has
sent until then is looked at. Ports are those of the pages: 9000 and 9001 must be free.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import boto3
import sam_local
from engine import ARCHITECTURE, engine
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[1]
PROCESSORS = {"arm64": 183, "x86_64": 62}  # as ELF numbers them
JOB = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"

# What the pages take for granted: buckets of the reader's own.
BUCKETS = ["my-jobs", "acme-config"]
REGION = "eu-central-1"
AWS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": REGION}


@dataclass
class Run:
    """To its end, which must be a good one; then `check` looks at its output and at what it did."""

    check: Callable = lambda output, walk: None
    on_aws: bool = False
    answer: str = ""


@dataclass
class Serve:
    """In the background: the walk goes on when it is `ready`, and ends it for the next one or with the page.

    `beside` another, it does not end that.
    """

    ready: Callable
    on_aws: bool = False
    beside: bool = False


@dataclass
class NotRun:
    reason: str


class Failed(Exception):
    """What is wrong, in a sentence or two."""


def shows_its_address(output, walk):
    return "http://127.0.0.1:9000/" in output


def is_answered(output, walk):
    holds("HTTP/1.1 200 OK\n" in output, "the answer is not 200")
    holds(re.search(r"^retry-after: \d+$", output, re.MULTILINE), "it does not say when to poll again")
    holds(json.loads(output[output.index("{") :])["response"]["job_status"] == "running", "the job is not running")


def is_waited_for(output, walk):
    holds(json.loads(output[output.index("{") :])["job_status"] == "done", "the job is not done")


def is_a_status_file(output, walk):
    stored = walk.aws("s3").get_object(Bucket="my-jobs", Key=f"jobs/{JOB}.json")
    holds(stored["ContentType"] == "application/json", "its content type is not application/json")
    holds(json.load(stored["Body"])["job_status"] == "running", "it has another status")


def is_304(output, walk):
    holds(output == "304\n", "the status is not 304")


def lists(states):
    """That each of these states is in a list of jobs."""
    return lambda output, walk: holds(all(state in output for state in states), f"it does not list {states}")


def prints_a_key(output, walk):
    keys = re.findall("^jobs_[0-9A-Za-z]+$", output, re.MULTILINE)
    holds(len(keys) == 1, "it prints no key, or several")
    return keys[0]


def is_issued(name, prefix=None):
    """That the key which is printed is the newest of the keyring, with this name and prefix."""

    def check(output, walk):
        key = prints_a_key(output, walk)
        entry = json.loads(keyring(walk))["keys"][-1]
        holds(entry["sha256"] == hashlib.sha256(key.encode()).hexdigest(), "the keyring has not the key's digest")
        holds((entry["name"], entry.get("prefix")) == (name, prefix), "the keyring has another key")

    return check


def is_revoked(output, walk):
    names = [entry["name"] for entry in json.loads(keyring(walk))["keys"]]
    holds(names == ["acme-2026", "acme-2027"], f"the keyring has the keys {names}")


def keyring(walk):
    return (walk.clone / "keyring.json").read_text().rstrip("\n")


def is_built_in(folder):
    def check(output, walk):
        binary = (walk.clone / folder / "StatusFunction/bootstrap").read_bytes()
        own = binary[:4] == b"\x7fELF" and binary[18] == PROCESSORS[ARCHITECTURE]
        holds(own, f"the binary is not for {ARCHITECTURE}")

    return check


def answers_every_event(output, walk):
    faults = sam_local.invoke(lambda command: walk.run(command, Run()))
    holds(not faults, "\n".join(faults))


def answers_over_http(output, walk):
    if "Running on http://127.0.0.1:3000" not in output:
        return False
    faults = sam_local.start_api()
    holds(not faults, "\n".join(faults))
    return True


def sends(**parameters):
    """That a change set is asked for with these parameters and those of parameters.toml, and no others."""

    def check(output, walk):
        cloudformation = walk.aws("cloudformation")
        (made,) = cloudformation.list_change_sets(StackName="job-status")["Summaries"]
        made = {"StackName": "job-status", "ChangeSetName": made["ChangeSetId"]}
        asked = cloudformation.describe_change_set(**made)["Parameters"]
        cloudformation.delete_change_set(**made)
        in_file = tomllib.loads((walk.clone / "parameters.toml").read_text())
        given = {name: value(walk) if callable(value) else value for name, value in parameters.items()}
        expected = {name: "" if value == [] else str(value) for name, value in (in_file | given).items()}
        sent = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in asked}
        holds(sent == expected, f"it sends {sent}, not {expected}")

    return check


PAGES = {
    "README.md": {
        "cargo local ": Serve(shows_its_address),
        "cargo test ": Run(),
        "curl -": Run(is_answered),
        "JOBS_API_KEY=demo-key cargo jobs wait": Run(is_waited_for),
        "export JOBS_RING=keyring.json": Run(),
        "cargo jobs keys add first": Run(is_issued("first")),
        "sam build": Run(is_built_in(".aws-sam/build")),
        "sam deploy --parameter-overrides": Run(sends(ApiKeys=keyring), on_aws=True, answer="n"),
        "curl …": NotRun("there is no stack to ask"),
        "cargo jobs check": NotRun("there is no stack to ask"),
        "echo '{\"job_status\"": Run(is_a_status_file, on_aws=True),
        "cargo jobs keys add acme-2026": Run(is_issued("acme-2026", "acme/")),
        "cargo jobs keys rotate": Run(is_issued("acme-2027", "acme/")),
        "cargo jobs keys revoke": Run(is_revoked),
        "sam deploy": Run(sends(ApiKeysObject="s3://acme-config/keyring.json"), on_aws=True, answer="n"),
    },
    "events/README.md": {
        "cargo local --s3-listen 0.0.0.0:9001": Serve(shows_its_address),
        "export AWS_ACCESS_KEY_ID=local": Run(),
        "own=": Run(),
        "sam build": Run(is_built_in(".aws-sam/local")),
        "sam local invoke": Run(answers_every_event),
        "sam local start-api": Serve(answers_over_http, beside=True),
    },
}

NO_STACK = NotRun("there is no stack")
DOCS = {
    "docs/api.md": {
        "url=": Run(),
        "etag=": Run(),
        "curl -sS": Run(is_304),
    },
    "docs/clients.md": {
        "cargo install": NotRun("it is built already"),
        "alias jobs=": Run(),
        "export JOBS_URL=": Run(),
        "jobs wait": Run(is_waited_for),
        "export JOB_STATUS_URL=": Run(),
    },
    "docs/keys.md": {
        "sam deploy": NO_STACK,
        "alias jobs=": Run(),
        "export JOBS_RING=": Run(),
        "jobs keys add acme-2026": Run(prints_a_key, on_aws=True),
        "jobs keys list": Run(lists(["first", "acme-2026", "active"]), on_aws=True),
        "jobs keys whose": Run(lists(["first"]), on_aws=True),
        "jobs keys check": Run(on_aws=True),
        "jobs keys rotate": Run(prints_a_key, on_aws=True),
        "jobs keys revoke": Run(on_aws=True),
    },
    "docs/operations.md": {
        "FUNCTION=": NO_STACK,
        "BUCKET=": NO_STACK,
        "alias jobs=": Run(),
        "export JOBS_STORE=": Run(),
        "jobs list --outcome": Run(lists(["running"]), on_aws=True),
        "jobs list --stalled": Run(on_aws=True),
        "jobs list --watch": NotRun("it draws on a terminal"),
        "sam deploy": NO_STACK,
        "JOBS_API_KEY=… cargo jobs check": NO_STACK,
        "aws ": NO_STACK,
        "ROLE=": NO_STACK,
    },
    "docs/workers.md": {
        "cargo install": NotRun("it is built already"),
        "alias jobs=": Run(),
        "export JOBS_STORE=": Run(),
        "jobs run": Run(on_aws=True),
        'jobs set "$id" running': Run(on_aws=True),
        'jobs set "$id" done': Run(on_aws=True),
        "jobs publish": NotRun("the directory is somebody's own"),
    },
}


def serves(job):
    """The endpoint, with a job that is done. The sample that changes takes up to 40 seconds."""
    write = f"""mkdir jobs && echo '{{"job_status":"done"}}' > jobs/{job}.json"""
    return [(write, Run()), ("env local --jobs jobs", Serve(shows_its_address))]


# What the reader of a page has done before.
BEFORE = {
    "docs/api.md": [
        *serves(JOB),
        ("export JOB_STATUS_URL=http://127.0.0.1:9000/v1/toolkit/job/status JOB_STATUS_KEY=demo-key", Run()),
    ],
    "docs/clients.md": serves("77777777-7777-4777-8777-777777777777"),
    "docs/keys.md": [
        ("env jobs keys add first --create --ring s3://acme-config/keyring.json > key.txt", Run(on_aws=True)),
    ],
    "docs/operations.md": [(f"env jobs set {JOB} running --store s3://my-jobs/jobs/", Run(on_aws=True))],
    "docs/workers.md": [
        ("id=11111111-1111-4111-8111-111111111111", Run()),
        ("""echo 'open("out.json", "w").write("{}")' > render.py""", Run()),
    ],
}

QUICK = ("README.md", ["cargo test ", "cargo local ", "curl -"])


def holds(condition, otherwise):
    if not condition:
        raise Failed(otherwise)


def blocks(text):
    """The `sh` and `toml` blocks of a page: language and text. Other shell languages are refused."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        is_program = block.startswith("#!")  # tests/clients runs it
        other = language in ("bash", "console", "shell") and not is_program
        holds(not other, f"a block is marked {language}: mark it sh")
        if language in ("sh", "toml"):
            yield language, block


def commands(block):
    """The commands of an `sh` block, which may have several lines each."""
    command = ""
    for line in block.splitlines(keepends=True):
        command += line
        complete = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True).returncode == 0
        if complete and not command.endswith("\\\n"):
            if not re.fullmatch(r"(\s*(#.*)?\n)*", command):
                yield command.strip()
            command = ""
    holds(not command, f"bash does not understand {command!r}")


def plan(page, text):
    """The steps of a page: (language, command or line, how). Every entry of the page must be needed."""
    entries, steps = (PAGES | DOCS)[page], [("sh", *before) for before in BEFORE.get(page, [])]
    for language, block in blocks(text):
        if language == "toml":
            steps += [("toml", line, None) for line in block.splitlines() if line and page in PAGES]
            continue
        for command in commands(block):
            known = max((start for start in entries if command.startswith(start)), key=len, default=None)
            holds(known, f"{page} has a command that .ci/walk.py does not know: {command}")
            steps.append(("sh", command, entries[known]))
    needed = [how for _, _, how in steps]
    for start, how in entries.items():
        holds(any(how is one for one in needed), f"{page} has no command any more that starts with {start}")
    return steps


def edit(file, line):
    """Puts a line into a parameters file in place of the one that the file has for the same parameter."""
    name = line.split(" = ")[0]
    text, edits = re.subn(rf"^{name} = .*$", lambda _: line, file.read_text(), flags=re.MULTILINE)
    holds(edits == 1, f"{file.name} has no {name}")
    file.write_text(text)


def make_bucket_for_artifacts(cloudformation):
    """The stack that `sam deploy` makes for itself. moto makes it without outputs if sam asks, and sam refuses that."""
    template = {
        "Resources": {"Artifacts": {"Type": "AWS::S3::Bucket"}},
        "Outputs": {"SourceBucket": {"Value": {"Ref": "Artifacts"}}},
    }
    cloudformation.create_stack(
        StackName="aws-sam-cli-managed-default",
        TemplateBody=json.dumps(template),
        Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
    )


def clone(into):
    """A fresh clone, of the checkout as git knows it."""

    def git(*arguments, of=ROOT):
        ran = subprocess.run(["git", "-C", of, *arguments], check=True, stdout=subprocess.PIPE, text=True)
        return ran.stdout.strip()

    state = git("stash", "create") or git("rev-parse", "HEAD")  # a commit of what is changed, if anything is
    git("clone", "--quiet", "--shared", ROOT, into)
    git("checkout", "--quiet", "--detach", state, of=into)
    edit(into / "parameters.toml", f'Architecture = "{ARCHITECTURE}"')  # to be tried on this machine


def client(service, address):
    anyone = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    return boto3.client(service, endpoint_url=address, region_name=REGION, **anyone)


class Walk:
    """A shell in the clone, or in another folder."""

    def __init__(self, clone, address):
        self.clone, self.address = clone, address
        self.served = []
        self.scratch = tempfile.TemporaryDirectory()
        target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
        environment = os.environ | {
            "CARGO_TARGET_DIR": target,  # to save time
            "PATH": f"{target}/debug:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
        }
        self.shell = subprocess.Popen(
            ["bash"],
            cwd=clone,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # which commands have ended
            text=True,
        )
        self.ask("set -m; echo")  # each command becomes a process group, which can be ended as a whole
        self.ask("shopt -s expand_aliases; echo")  # as for a reader at a terminal

    def aws(self, service):
        return client(service, self.address)

    def ask(self, script):
        """Has the shell run a script; the line that it prints."""
        self.shell.stdin.write(f"{script}\n")
        self.shell.stdin.flush()
        return self.shell.stdout.readline().strip()

    def start(self, command, how, answer, ending):
        """Has the shell run a command; where its output goes, and the line that the script's ending prints."""
        given, output = (Path(tempfile.mkstemp(dir=self.scratch.name)[1]) for _ in range(2))
        given.write_text(f"{answer}\n")
        variables = AWS | {"AWS_ENDPOINT_URL": self.address} if how.on_aws else {}
        before = "".join(f"export {name}={value}\n" for name, value in variables.items())
        after = "".join(f"unset {name}\n" for name in variables)
        # Appended to, as a terminal is: a command that opens /dev/stderr itself must not write over other lines.
        return output, self.ask(f"{before}{{ {command}\n}} <{given} >>{output} 2>&1 {ending}\n{after}echo $told")

    def run(self, command, how):
        output, status = self.start(command, how, how.answer, "; told=$?")
        try:
            holds(status == "0", f"it ended with {status}")
            how.check(output.read_text(), self)
            return output.read_text()
        except Failed:
            print(output.read_text())
            raise

    def serve(self, command, how):
        if not how.beside:
            self.stop()
        output, process = self.start(command, how, "", "& told=$!")
        self.served.append(int(process))
        try:
            for _ in range(9000):  # tenths of a second: it may be built first
                if how.ready(output.read_text(), self):
                    return
                holds(self.ask(f"\\jobs -r -p | grep -x {process} || echo") == process, "it has ended")
                time.sleep(0.1)
            raise Failed("it is not ready after a quarter of an hour")
        except Failed:
            print(output.read_text())
            raise

    def stop(self):
        """Ends what is served, with all that it has started."""
        while self.served:
            process = self.served.pop()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGTERM)
            self.ask(f"wait {process}; echo")

    def end(self):
        self.stop()
        self.shell.communicate()
        self.scratch.cleanup()


@contextlib.contextmanager
def aws():
    """A moto server with the reader's buckets; its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    # By this name moto finds the template that `sam deploy` uploads; by number it takes S3's address for a bucket's.
    address = f"http://localhost:{server.get_host_and_port()[1]}"
    for bucket in BUCKETS:
        client("s3", address).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    make_bucket_for_artifacts(client("cloudformation", address))
    try:
        yield address
    finally:
        server.stop()


def follow(page, steps, clone, address):
    print(f"\n== {page}", flush=True)
    walk, started = Walk(clone, address), time.monotonic()
    try:
        for language, command, how in steps:
            title = command.splitlines()[0]
            if isinstance(how, NotRun):
                print(f"not run, as {how.reason}: {title}", flush=True)
                continue
            print(f"$ {title}" if language == "sh" else f"  parameters.toml: {command}", flush=True)
            match how:
                case Run():
                    walk.run(command, how)
                case Serve():
                    walk.serve(command, how)
                case None:
                    edit(clone / "parameters.toml", command)
        print(f"== {time.monotonic() - started:.0f} s for {page}", flush=True)
    finally:
        walk.end()


def walk_quickly():
    page, starts = QUICK
    wanted = [PAGES[page][start] for start in starts]
    steps = [step for step in plan(page, (ROOT / page).read_text()) if any(step[2] is how for how in wanted)]
    follow(page, steps, ROOT, address=None)  # no command of these is on AWS


def walk_docs():
    with aws() as address:
        for page in DOCS:
            with tempfile.TemporaryDirectory() as folder:
                follow(page, plan(page, (ROOT / page).read_text()), Path(folder), address)


def walk_all(into):
    clone(into)
    plans = {page: plan(page, (into / page).read_text()) for page in PAGES}
    with aws() as address, engine():
        for page, steps in plans.items():
            follow(page, steps, into, address)


def main():
    _, into = sys.argv
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that nothing is left running then either
    try:
        if into == "--quick":
            walk_quickly()
        elif into == "--docs":
            walk_docs()
        else:
            walk_all(Path(into).resolve())
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")


if __name__ == "__main__":
    main()
