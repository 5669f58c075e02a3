"""Looks at the SBOMs of a release: CycloneDX's schema allows them, and they name the bytes of the programs.

    python .ci/sboms.py FOLDER
"""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

EXECUTABLE = 0o100755


def holds(condition, otherwise):
    if not condition:
        sys.exit(f"FAILED: {otherwise}")


def describes_its_program(sbom):
    """An SBOM's program is in the zip of the same name: the command itself, or the bundle's function.zip."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom.read_text())
    holds(not error, f"{sbom.name} is not CycloneDX 1.6: {error}")
    with zipfile.ZipFile(sbom.with_name(sbom.name.replace(".cdx.json", ".zip"))) as released:
        names = [name for name in released.namelist() if name == "jobs" or name.endswith("/function.zip")]
        holds(len(names) == 1, f"{released.filename} has no program, or several")
        content = released.read(names[0])
        mode = released.getinfo(names[0]).external_attr >> 16
    if names == ["jobs"]:
        holds(mode == EXECUTABLE, "the command is not executable")
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as function:
            (member,) = function.infolist()
            holds(member.filename == "bootstrap", f"the function's file is {member.filename}")
            holds(member.external_attr >> 16 == EXECUTABLE, "the function's file is not executable")
            content = function.read(member)
    (sum,) = json.loads(sbom.read_text())["metadata"]["component"]["hashes"]
    holds(sum["content"] == hashlib.sha256(content).hexdigest(), f"{sbom.name} is about another program")


def main():
    _, folder = sys.argv
    sboms = sorted(Path(folder).glob("*.cdx.json"))
    holds(sboms, "there are none")
    for sbom in sboms:
        describes_its_program(sbom)
        print(f"ok {sbom.name}", flush=True)


if __name__ == "__main__":
    main()
