"""Imports in `src` go down: by the real module's path, and without a cycle between files."""

import graphlib
import pathlib
import re
import sys

SRC = pathlib.Path(__file__).parent.parent / "src"


def leaves(tree):
    """The paths in a use tree such as `a::{b, c::d}`."""
    prefix, brace, rest = tree.partition("{")
    if not brace:
        return [tree.split(" as ")[0].strip()]
    depth, start, paths = 0, 0, []
    inner = rest.rstrip().removesuffix("}") + ","
    for index, letter in enumerate(inner):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            if part := inner[start:index].strip():
                paths += [prefix.strip() + leaf for leaf in leaves(part)]
            start = index + 1
    return paths


def file_of(path):
    """The file of the module that a `crate::…` path leads to."""
    names = path.split("::")[1:]
    while names:
        folder = SRC.joinpath(*names)
        for file in (folder.with_suffix(".rs"), folder / "mod.rs"):
            if file.exists():
                return file
        names.pop()
    sys.exit(f"{path} is imported through the crate root: write the module's path")


def name_of(file):
    return str((file.parent if file.name == "mod.rs" else file).relative_to(SRC).with_suffix(""))


imports = {}
for file in sorted(SRC.rglob("*.rs")):
    if file.name in ("lib.rs", "main.rs"):  # the facade and the binary: nothing imports them
        continue
    text = re.sub(r"//.*", "", file.read_text())
    if "super::" in text:
        sys.exit(f"{file.relative_to(SRC)} imports from super: write the module's path")
    uses = re.findall(r"use\s+(crate::[^;]+);", text)
    imports[file] = {file_of(path) for use in uses for path in leaves(use)}

try:
    order = list(graphlib.TopologicalSorter(imports).static_order())
except graphlib.CycleError as error:
    sys.exit("imports go round: " + " → ".join(map(name_of, error.args[1])))
print("From the ground up:", ", ".join(map(name_of, order)))
