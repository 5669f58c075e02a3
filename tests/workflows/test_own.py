"""release/build --own: what a runner with macOS or Windows builds, tried out with stand-ins for cargo and rustc."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
CARGO = """#!/bin/sh
if [ "$1" = tree ]; then
    printf '0 jobs v9.9.9 (/x) | MIT\\n1 serde v1.0.0 | MIT/Apache-2.0\\n'
else
    echo "$@" > {said}
    for target; do true; done
    mkdir -p "$CARGO_TARGET_DIR/$target/command"
    printf program > "$CARGO_TARGET_DIR/$target/command/jobs"
    printf program > "$CARGO_TARGET_DIR/$target/command/jobs.exe"
fi
"""
RUSTC = """#!/bin/sh
case "$*" in
    *verbose*) printf 'rustc 9.9.9\\ncommit-hash: abc\\n' ;;
    *sysroot*) echo /sysroot ;;
    *) echo rustc 9.9.9 ;;
esac
"""
LOCK = """version = 4
[[package]]
name = "jobs"
version = "9.9.9"
[[package]]
name = "serde"
version = "1.0.0"
checksum = "abc"
"""


def build(folder, system, machine):
    """Runs it as on such a machine, in a repository of its own; what became of it."""
    here = folder / "repository"
    (here / "release").mkdir(parents=True)
    for name in ("release/build", "Cargo.toml"):
        shutil.copy(ROOT / name, here / name)
    (here / "Cargo.lock").write_text(LOCK)
    (here / ".gitignore").write_text("target\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init"], ["add", "."], [*identity, "commit", "-m", "all"]):
        subprocess.run(["git", "-C", here, *command], check=True, capture_output=True)
    programs = folder / "bin"
    programs.mkdir()
    for name, text in {"cargo": CARGO.replace("{said}", str(folder / "said")), "rustc": RUSTC}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    start = (
        "import platform, runpy, sys; sys.argv = ['build', '--own'];"
        f"platform.system = lambda: {system!r}; platform.machine = lambda: {machine!r};"
        f"runpy.run_path({str(here / 'release/build')!r}, run_name='__main__')"
    )
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    ran = subprocess.run([sys.executable, "-c", start], env=environment, capture_output=True, text=True)
    return ran, here / "target/dist"


@pytest.mark.parametrize(
    "system, machine, name, target, program",
    [
        ("Darwin", "arm64", "macos-arm64", "aarch64-apple-darwin", "jobs"),
        ("Darwin", "x86_64", "macos-x86_64", "x86_64-apple-darwin", "jobs"),
        ("Windows", "AMD64", "windows-x86_64", "x86_64-pc-windows-msvc", "jobs.exe"),
    ],
)
def test_a_desktop_builds_the_command_for_itself_with_its_crates(tmp_path, system, machine, name, target, program):
    ran, dist = build(tmp_path, system, machine)
    assert ran.returncode == 0, ran.stderr
    said = (tmp_path / "said").read_text().strip()
    assert said == f"build --profile command --locked --package jobs --bin jobs --target {target}"
    names = [f"jobs-{VERSION}-{name}.cdx.json", f"jobs-{VERSION}-{name}.zip"]
    assert sorted(path.name for path in dist.iterdir()) == ["SHA256SUMS", *names]
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=dist, check=True)
    with zipfile.ZipFile(dist / names[1]) as archive:
        (member,) = archive.infolist()
        assert (member.filename, member.external_attr >> 16, archive.read(member)) == (program, 0o100755, b"program")
    sbom = json.loads((dist / names[0]).read_text())
    assert [crate["name"] for crate in sbom["components"]] == ["serde"]
    assert [tool["name"] for tool in sbom["metadata"]["tools"]["components"]] == ["rustc"]


def test_any_other_machine_is_refused_before_anything_is_built(tmp_path):
    ran, dist = build(tmp_path, "Linux", "riscv64")
    assert ran.returncode == 1 and ran.stderr == "Linux riscv64 is no desktop of a release\n"
    assert not dist.exists() and not (tmp_path / "said").exists()


def test_cargo_binstall_finds_each_archive_under_the_name_that_it_is_built_with():
    metadata = tomllib.loads((ROOT / "crates/jobs/Cargo.toml").read_text())["package"]["metadata"]["binstall"]
    assert (metadata["pkg-fmt"], metadata["bin-dir"]) == ("zip", "{ bin }{ binary-ext }")
    assert {target: override["pkg-url"] for target, override in metadata["overrides"].items()} == {
        target: f"{{ repo }}/releases/download/v{{ version }}/jobs-{{ version }}-{name}.zip"
        for target, name in {
            "x86_64-unknown-linux-gnu": "x86_64",
            "aarch64-unknown-linux-gnu": "arm64",
            "x86_64-apple-darwin": "macos-x86_64",
            "aarch64-apple-darwin": "macos-arm64",
            "x86_64-pc-windows-msvc": "windows-x86_64",
        }.items()
    }
