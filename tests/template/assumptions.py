"""The numbers that the bill in docs/operations.md is reckoned with."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "crates/pages/src/scaling/assumptions.rs").read_text()


def assumption(name):
    """The value of a constant, as it is written there."""
    return re.search(rf"const {name}: [^=]+ = (.+);", TEXT)[1]
