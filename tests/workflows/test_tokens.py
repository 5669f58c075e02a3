"""A release: code runs without tokens, and what has the tokens runs no code. Each job's own checks, tried out.

    python -m pytest tests/workflows
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = {path.name: path.read_text() for path in sorted((ROOT / ".github/workflows").iterdir())}
PARSED = {name: yaml.safe_load(text) for name, text in WORKFLOWS.items()}
RELEASE = PARSED["release.yml"]["jobs"]
JOBS = [(name, job) for name, workflow in PARSED.items() for job in workflow["jobs"]]
WITH_TOKENS = {
    ("release.yml", "attest"): {"id-token": "write", "attestations": "write"},
    ("release.yml", "publish"): {"contents": "write"},
}

EACH_JOB = pytest.mark.parametrize("workflow, job", JOBS, ids=map(" ".join, JOBS))


def steps(workflow, job):
    return PARSED[workflow]["jobs"][job]["steps"]


def actions(workflow, job):
    """Names of the actions that a job uses, without their commits."""
    return [step["uses"].partition("@")[0] for step in steps(workflow, job) if "uses" in step]


def scripts(workflow, job):
    return [step["run"] for step in steps(workflow, job) if "run" in step]


def needs(job):
    """The jobs of a release that end before this one begins."""
    before = RELEASE[job].get("needs", [])
    before = [before] if isinstance(before, str) else before
    return {*before, *(earlier for one in before for earlier in needs(one))}


def run(script, folder, **environment):
    """A script of a workflow, as a runner runs it: its exit code."""
    command = ["bash", "-e", "-c", script]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True).returncode


@EACH_JOB
def test_a_job_may_read_the_repository_at_most_but_for_the_two_that_attest_and_publish(workflow, job):
    granted = PARSED[workflow]["jobs"][job].get("permissions", PARSED[workflow]["permissions"])
    if (workflow, job) in WITH_TOKENS:
        assert granted == WITH_TOKENS[workflow, job]
    else:
        assert granted in ({}, {"contents": "read"})
        assert "secrets." not in str(steps(workflow, job)) and "github.token" not in str(steps(workflow, job))


def test_no_workflow_runs_with_the_rights_of_its_base_for_code_of_others():
    events = {event for workflow in PARSED.values() for event in workflow[True]}  # YAML 1.1 reads `on` as a truth value
    assert events == {"push", "pull_request", "schedule", "workflow_dispatch"}


@EACH_JOB
def test_a_checkout_leaves_no_token_behind(workflow, job):
    for step in steps(workflow, job):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_an_action_is_a_commit_the_same_everywhere_with_its_version_beside_it():
    used = [line.strip() for text in WORKFLOWS.values() for line in text.splitlines() if "uses:" in line]
    matches = [re.fullmatch(r"- uses: ([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line) for line in used]
    assert [line for line, match in zip(used, matches) if not match] == []
    commits = {match[1]: set() for match in matches}
    for match in matches:
        commits[match[1]].add(match[2])
    assert [action for action, found in commits.items() if len(found) > 1] == []


@pytest.mark.parametrize("workflow, job", WITH_TOKENS, ids=map(" ".join, WITH_TOKENS))
def test_a_job_with_tokens_has_no_code_of_the_repository(workflow, job):
    declared = PARSED[workflow]["jobs"][job]
    assert "container" not in declared and "services" not in declared
    expected = ["actions/download-artifact"]
    if job == "attest":
        expected.append("actions/attest-build-provenance")
    assert actions(workflow, job) == expected
    (script,) = scripts(workflow, job)
    commands = {line.split()[0] for line in script.splitlines()}
    assert commands <= {"cd", "test", "sha256sum", "mapfile", "gh"}


def test_a_release_is_checked_tested_built_attested_and_published_in_this_order():
    order = ["commit", "test", "build", "attest", "publish"]
    assert list(RELEASE) == order
    for place, job in enumerate(order):
        assert needs(job) == set(order[:place])
        assert "if" not in RELEASE[job] and "continue-on-error" not in str(RELEASE[job])


def test_the_build_starts_from_a_clean_checkout_and_installs_the_tools_of_a_release_alone():
    build = RELEASE["build"]
    assert "container" not in build and "services" not in build
    assert actions("release.yml", "build") == ["actions/checkout", "actions/upload-artifact"]
    install, make = scripts("release.yml", "build")
    assert install == 'release/tools "$RUNNER_TEMP/tools"'
    assert make.splitlines()[0] == 'PATH="$RUNNER_TEMP/tools/bin:$PATH" release/build'
    # What is tried each night is what a release does.
    assert scripts("nightly.yml", "build") == [install, make.splitlines()[0]]


@pytest.fixture
def repository(tmp_path):
    """Runs `git` in a clone whose origin has a main branch of two commits, the second of version 1.2.3."""

    def git(*arguments, folder="clone"):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, "-C", tmp_path / folder, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    origin = tmp_path / "origin"
    origin.mkdir()
    git("init", "--initial-branch=main", folder="origin")
    for version in ("1.2.2", "1.2.3"):
        (origin / "Cargo.toml").write_text(f'[package]\nversion = "{version}"\n\n[dependencies.other]\nversion = "9"\n')
        git("add", ".", folder="origin")
        git("commit", "-m", version, folder="origin")
    subprocess.run(["git", "clone", "--quiet", origin, tmp_path / "clone"], check=True)
    return git


@pytest.mark.parametrize(
    "commit, tag, accepted",
    [
        ("origin/main", "v1.2.3", True),
        ("origin/main~1", "v1.2.2", True),
        ("origin/main", "v1.2.4", False),
        ("origin/main", "v9", False),
        ("beside", "v1.2.3", False),
    ],
)
def test_a_tag_is_released_only_if_it_is_the_version_of_a_commit_on_main(repository, tmp_path, commit, tag, accepted):
    repository("switch", "--create", "beside")
    repository("commit", "--allow-empty", "-m", "never on main")
    repository("checkout", "--detach", commit)
    codes = [run(script, tmp_path / "clone", GITHUB_REF_NAME=tag) for script in scripts("release.yml", "commit")]
    assert (codes == [0, 0]) is accepted
    checkout = steps("release.yml", "commit")[0]["with"]
    assert checkout["fetch-depth"] == 0  # else there is no main to look at


@pytest.fixture
def dist(tmp_path):
    """A release as `build` hands it on, and what `build` says of it."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ("function.zip", "jobs.zip"):
        (folder / name).write_text(name)
    names = sorted(path.name for path in folder.iterdir())
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines))
    made = tmp_path / "target/dist"
    made.parent.mkdir()
    made.symlink_to(folder)
    say = steps("release.yml", "build")[2]["run"].splitlines()[1]
    assert run(say, tmp_path, GITHUB_OUTPUT=str(tmp_path / "output")) == 0
    (folder / "beside.zip").write_text("nobody built this")
    return folder, (tmp_path / "output").read_text().strip().removeprefix("sums=")


@pytest.fixture
def gh(tmp_path):
    """A `gh` in PATH that writes down what it is given."""
    program = tmp_path / "bin/gh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/gh\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "GITHUB_REF_NAME": "v1.2.3", "GITHUB_REPOSITORY": "a/b"}


@pytest.mark.parametrize("job", ["attest", "publish"])
@pytest.mark.parametrize("changed", ["function.zip", "SHA256SUMS", "both"])
def test_what_the_build_did_not_make_is_neither_attested_nor_published(dist, gh, tmp_path, job, changed):
    folder, sums = dist
    if changed != "SHA256SUMS":
        (folder / "function.zip").write_text("another")
    if changed != "function.zip":
        (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(b'another').hexdigest()}  function.zip\n")
    (script,) = scripts("release.yml", job)
    assert run(script, tmp_path, SUMS=sums, **gh) != 0
    assert not (tmp_path / "gh").exists()


def test_what_the_build_made_is_attested_and_published_and_nothing_beside_it(dist, gh, tmp_path):
    _, sums = dist
    for job in ("attest", "publish"):
        (script,) = scripts("release.yml", job)
        assert run(script, tmp_path, SUMS=sums, **gh) == 0
        (step,) = (step for step in steps("release.yml", job) if "run" in step)
        assert step["env"]["SUMS"] == "${{ needs.build.outputs.sums }}"
    given = (tmp_path / "gh").read_text().splitlines()
    assert given[given.index("--") + 1 :] == ["SHA256SUMS", "function.zip", "jobs.zip"]
    assert steps("release.yml", "attest")[-1]["with"] == {"subject-checksums": "dist/SHA256SUMS"}
