"""release/tools: three tools, each with the bytes that are written down, tried out with stand-ins for the downloads."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUST = (ROOT / "release/rust.sha256").read_text()
WHEELS = (ROOT / "release/requirements.txt").read_text()
RUNS = "#!/bin/sh\ntouch {ran}\nmkdir -p {prefix}/bin\nprintf '#!/bin/sh\\n' > {prefix}/bin/{name}\nchmod 755 {prefix}/bin/{name}\n"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def component(path, script):
    """An archive as those of Rust are: a folder of its name, with an installer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz") as archive:
        member = tarfile.TarInfo(f"{path.name.removesuffix('.tar.xz')}/install.sh")
        member.size, member.mode = len(script), 0o755
        archive.addfile(member, io.BytesIO(script.encode()))


def wheel(path):
    name, version = path.name.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def release(tmp_path):
    """release/ with the hashes of stand-ins, which are where it downloads from."""
    folder = tmp_path / "release"
    shutil.copytree(ROOT / "release", folder)
    sums, pins = [], []
    for line in RUST.splitlines():
        path = tmp_path / "dist" / line.split()[1]
        name = re.match(r"(.+?)-\d", path.name)[1]
        component(path, RUNS.format(ran=tmp_path / "ran", prefix=tmp_path / "tools", name=name))
        sums.append(f"{sha256(path)}  {line.split()[1]}\n")
    for name, version in re.findall(r"^([\w-]+)==(\S+)", WHEELS, re.MULTILINE):
        path = tmp_path / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        wheel(path)
        pins.append(f"{name}=={version} --hash=sha256:{sha256(path)}\n")
    (folder / "rust.sha256").write_text("".join(sums))
    (folder / "requirements.txt").write_text("".join(pins))
    return folder


def install(release):
    """Runs release/tools; its exit code, and what it says."""
    here = release.parent
    environment = os.environ | {
        "RUSTUP_DIST_SERVER": here.as_uri(),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(here),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    ran = subprocess.run([release / "tools", "tools"], cwd=here, env=environment, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def test_rust_cargo_lambda_and_zig_are_installed_and_nothing_else(release, tmp_path):
    code, said = install(release)
    assert code == 0, said
    assert {path.name for path in (tmp_path / "tools/bin").iterdir()} >= {"python3", "rustc", "cargo", "rust-std"}
    (packages,) = (tmp_path / "tools/lib").glob("python*/site-packages")
    installed = {path.name.split("-")[0] for path in packages.glob("*.dist-info")}
    assert installed - {"pip", "setuptools"} == {"cargo_lambda", "ziglang"}
    assert not list(tmp_path.glob("*.tar.xz"))  # downloads leave nothing behind


def test_rust_with_another_hash_is_never_run(release, tmp_path):
    *_, last = sorted((tmp_path / "dist").glob("*/*"))
    with last.open("ab") as file:
        file.write(b"\0")
    code, said = install(release)
    assert code != 0 and "FAILED" in said
    assert not (tmp_path / "ran").exists() and not (tmp_path / "tools").exists()


def test_a_package_with_another_hash_is_refused_before_rust_is_run(release, tmp_path):
    (package,) = tmp_path.glob("ziglang-*.whl")
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("ziglang.py", "")
    code, said = install(release)
    assert code != 0 and "DO NOT MATCH THE HASHES" in said
    assert not (tmp_path / "ran").exists()


def test_each_pin_names_a_version_and_one_hash_and_is_the_version_that_the_tests_use():
    pins = [line for line in WHEELS.splitlines() if not line.startswith("#")]
    assert [re.sub("[0-9a-f]{64}", "…", pin) for pin in pins] == [
        "cargo-lambda==1.9.2 --hash=sha256:…",
        "ziglang==0.16.0 --hash=sha256:…",
    ]
    tested = (ROOT / ".ci/requirements.txt").read_text()
    assert [pin for pin in pins if not re.search(rf"^{re.escape(pin.split()[0])} ", tested, re.MULTILINE)] == []


def test_rust_is_the_version_that_the_tests_of_a_release_use_with_both_processors():
    names = [re.fullmatch(r"[0-9a-f]{64}  [\d-]+/(.+)\.tar\.xz", line)[1] for line in RUST.splitlines()]
    (version,) = {re.search(r"-(\d+\.\d+)\.\d+-", name)[1] for name in names}
    release = (ROOT / ".github/workflows/release.yml").read_text()
    assert f'image: "rust:{version}-bookworm"' in release and f"rustup default {version}.0\n" in release
    parts = [re.sub(r"-\d+\.\d+\.\d+-", " ", name) for name in names]
    assert parts == [
        "rustc x86_64-unknown-linux-gnu",
        "cargo x86_64-unknown-linux-gnu",
        "rust-std x86_64-unknown-linux-gnu",
        "rust-std aarch64-unknown-linux-gnu",
    ]
