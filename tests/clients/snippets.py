"""The programs of docs/clients.md, ready to be run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

TSC = Path(__file__).parent / "node_modules/.bin/tsc"


def snippet(language: str) -> str:
    """The one program in this language."""
    text = (ROOT / "docs/clients.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"docs/clients.md has {len(blocks)} programs in {language}"
    return blocks[0]


def command(language: str, directory: Path) -> list[str]:
    """What runs the program, which is put into `directory`."""
    if language == "bash":
        path = directory / "poll.sh"
        path.write_text(snippet("bash"))
        return ["bash", str(path)]
    if language == "python":
        path = directory / "poll.py"
        path.write_text(snippet("python"))
        return [sys.executable, str(path)]
    if language == "rust":
        source = ROOT / "local/examples/poll.rs"
        assert source.read_text() == snippet("rust"), f"docs/clients.md and {source} differ"
        program = ROOT / "target/debug/examples/poll"
        assert program.is_file(), f"{program} is not there: cargo build -p local --examples"
        return [str(program)]
    assert language == "typescript"
    if not shutil.which("node"):
        assert not os.environ.get("CI"), "CI needs Node.js"
        pytest.skip("there is no Node.js")
    assert TSC.exists(), "there is no TypeScript: npm ci --prefix tests/clients"
    (directory / "poll.ts").write_text(snippet("ts"))
    (directory / "package.json").write_text(json.dumps({"type": "module"}))
    options = {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "exactOptionalPropertyTypes": True,
        "noUnusedLocals": True,
        "target": "ES2022",
        "module": "NodeNext",
        "lib": ["ES2022"],
        "types": ["node"],
        "typeRoots": [str(TSC.parents[1] / "@types")],
    }
    (directory / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["poll.ts"]}))
    compiled = subprocess.run([TSC, "--project", directory], capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stdout
    return ["node", str(directory / "poll.js")]
