"""The programs of docs/clients.md, ready to be run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import ROOT

BINARIES = Path(__file__).parent / "node_modules/.bin"


def snippet(language: str) -> str:
    """The one program in this language."""
    text = (ROOT / "docs/clients.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"docs/clients.md has {len(blocks)} programs in {language}"
    return blocks[0]


# What asks by GET, and what asks by POST: the page says that nothing else changes.
CHANGES = [
    (
        '-G --data-urlencode "job_id=$1" "$JOB_STATUS_URL"',
        """-d "$(jq -n --arg job_id "$1" '$ARGS.named')" "$JOB_STATUS_URL\"""",
    ),
    ('session.get(url, params={"job_id": job_id}, ', 'session.post(url, json={"job_id": job_id}, '),
    (
        "fetch(`${url}?${new URLSearchParams({ job_id: jobId })}`, {",
        'fetch(url, { method: "POST", body: JSON.stringify({ job_id: jobId }),',
    ),
]


def by_post(program: str) -> str:
    """The program, with the place changed that asks."""
    ((get, post),) = [(get, post) for get, post in CHANGES if get in program]
    return program.replace(get, post)


def command(language: str, directory: Path, change: Callable[[str], str] = str) -> list[str]:
    """What runs the program, which is put into `directory`, changed where it is not compiled before."""
    if language == "bash":
        path = directory / "poll.sh"
        path.write_text(change(snippet("bash")))
        return ["bash", str(path)]
    if language == "python":
        path = directory / "poll.py"
        path.write_text(change(snippet("python")))
        return [sys.executable, str(path)]
    if language == "rust":
        source = ROOT / "crates/testbed/examples/poll.rs"
        assert source.read_text() == snippet("rust"), f"docs/clients.md and {source} differ"
        program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "debug/examples/poll")
        assert program.is_file(), f"{program} is not there: cargo build --examples"
        return [str(program)]
    assert language == "typescript"
    assert BINARIES.exists(), "there is no TypeScript: npm ci --prefix tests/clients"
    program = directory / "poll.mts"
    program.write_text(change(snippet("ts")))
    compiled = program.with_suffix(".mjs")
    # What tsx does at each start.
    subprocess.run([BINARIES / "esbuild", "--log-level=error", program, f"--outfile={compiled}"], check=True)
    return ["node", str(compiled)]
