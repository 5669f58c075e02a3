"""A release: code runs without tokens, and what has the tokens runs no code. Each job's own checks, tried out.

    python -m pytest tests/workflows
"""

import hashlib
import json
import os
import re
import shutil
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


def test_a_release_is_checked_tested_built_gathered_attested_and_published_in_this_order():
    order = [{"commit"}, {"test", "test-desktops"}, {"build", "desktops"}, {"gather"}, {"attest"}, {"publish"}]
    assert set(RELEASE) == set().union(*order)
    for place, jobs in enumerate(order):
        for job in jobs:
            assert needs(job) == set().union(*order[:place])
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


def test_each_desktop_builds_the_command_alone_and_says_itself_what_it_has_built():
    names = [leg["name"] for leg in RELEASE["desktops"]["strategy"]["matrix"]["include"]]
    assert names == ["macos-arm64", "macos-x86_64", "windows-x86_64"]
    assert RELEASE["desktops"]["outputs"] == {name: f"${{{{ steps.build.outputs.{name} }}}}" for name in names}
    assert [script.splitlines()[0] for script in scripts("release.yml", "desktops")] == [
        "rustup toolchain install 1.95.0 --profile minimal && rustup default 1.95.0",
        "python release/build --own",
    ]
    needed = [f"${{{{ needs.desktops.outputs.{name} }}}}" for name in names]
    (step,) = (step for step in steps("release.yml", "gather") if "run" in step)
    assert list(step["env"].values()) == ["${{ needs.build.outputs.sums }}", *needed]


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


def build(folder, *names):
    """Files with these names, and the SHA256SUMS that name them."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(name)
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(names)]
    (folder / "SHA256SUMS").write_text("".join(lines))


def says(job, place, folder):
    """What a job that has a step with this number says of the files in target/dist."""
    output = folder / "output"
    output.unlink(missing_ok=True)
    step = steps("release.yml", job)[place]
    assert run(step["run"].splitlines()[-1], folder, GITHUB_OUTPUT=str(output), NAME="name") == 0
    return output.read_text().strip().partition("=")[2]


@pytest.fixture
def dist(tmp_path):
    """A release as `gather` hands it on, and what `gather` says of it."""
    build(tmp_path / "target/dist", "function.zip", "jobs.zip")
    (tmp_path / "dist").symlink_to(tmp_path / "target/dist")
    sums = says("gather", 2, tmp_path)
    (tmp_path / "dist/beside.zip").write_text("nobody built this")
    return tmp_path / "dist", sums


PARTS = {
    "dist": ["jobs-1.2.3-arm64.zip", "jobs-1.2.3-x86_64.zip", "job-status-1.2.3-arm64.zip"],
    "dist-macos-arm64": ["jobs-1.2.3-macos-arm64.zip"],
    "dist-macos-x86_64": ["jobs-1.2.3-macos-x86_64.zip"],
    "dist-windows-x86_64": ["jobs-1.2.3-windows-x86_64.zip"],
}


@pytest.fixture
def parts(tmp_path):
    """What `build` and `desktops` hand on, and what each says of it; `gather` starts beside it."""
    said = {}
    for part, names in PARTS.items():
        here = tmp_path / "builders" / part
        build(here / "target/dist", *names)
        job, place = ("build", 2) if part == "dist" else ("desktops", 3)
        said[part.removeprefix("dist").strip("-").replace("-", "_").upper() or "SUMS"] = says(job, place, here)
        shutil.copytree(here / "target/dist", tmp_path / "parts" / part)
    (tmp_path / "release").symlink_to(ROOT / "release")
    output = {"GITHUB_OUTPUT": str(tmp_path / "output")}
    return said | output | {"GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "a/b"}


def test_what_is_built_everywhere_is_gathered_with_what_installs_it(parts, tmp_path):
    (script,) = scripts("release.yml", "gather")
    assert run(script, tmp_path, **parts) == 0
    made = tmp_path / "target/dist"
    names = sorted([*(name for names in PARTS.values() for name in names), "jobs.json", "jobs.rb"])
    assert sorted(path.name for path in made.iterdir()) == ["SHA256SUMS", *names]
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=made, check=True)
    address = "https://github.example/a/b/releases/download/v1.2.3"
    sums = dict(reversed(line.split("  ")) for line in (made / "SHA256SUMS").read_text().splitlines())
    windows = "jobs-1.2.3-windows-x86_64.zip"
    scoop = json.loads((made / "jobs.json").read_text())
    assert scoop["architecture"]["64bit"] == {"url": f"{address}/{windows}", "hash": sums[windows]}
    assert (scoop["version"], scoop["bin"]) == ("1.2.3", "jobs.exe")
    formula = (made / "jobs.rb").read_text()
    assert 'version "1.2.3"' in formula and 'assert_equal "jobs #{version}"' in formula
    for name in sorted(name for name in sums if name.startswith("jobs-") and name != windows):
        assert f'url "{address}/{name}"\n      sha256 "{sums[name]}"' in formula


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("changed", ["archive", "both"])
def test_what_no_builder_has_built_is_not_gathered(parts, tmp_path, part, changed):
    archive = tmp_path / "parts" / part / PARTS[part][0]
    archive.write_text("another")
    if changed == "both":
        sums = archive.parent / "SHA256SUMS"
        other = hashlib.sha256(archive.name.encode()).hexdigest()
        sums.write_text(sums.read_text().replace(other, hashlib.sha256(b"another").hexdigest()))
    (script,) = scripts("release.yml", "gather")
    assert run(script, tmp_path, **parts) != 0
    assert not (tmp_path / "output").exists()


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
def test_what_was_not_gathered_is_neither_attested_nor_published(dist, gh, tmp_path, job, changed):
    folder, sums = dist
    if changed != "SHA256SUMS":
        (folder / "function.zip").write_text("another")
    if changed != "function.zip":
        (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(b'another').hexdigest()}  function.zip\n")
    (script,) = scripts("release.yml", job)
    assert run(script, tmp_path, SUMS=sums, **gh) != 0
    assert not (tmp_path / "gh").exists()


def test_what_was_gathered_is_attested_and_published_and_nothing_beside_it(dist, gh, tmp_path):
    _, sums = dist
    for job in ("attest", "publish"):
        (script,) = scripts("release.yml", job)
        assert run(script, tmp_path, SUMS=sums, **gh) == 0
        (step,) = (step for step in steps("release.yml", job) if "run" in step)
        assert step["env"]["SUMS"] == "${{ needs.gather.outputs.sums }}"
    given = (tmp_path / "gh").read_text().splitlines()
    assert given[given.index("--") + 1 :] == ["SHA256SUMS", "function.zip", "jobs.zip"]
    assert steps("release.yml", "attest")[-1]["with"] == {"subject-checksums": "dist/SHA256SUMS"}
