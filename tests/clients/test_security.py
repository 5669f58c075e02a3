"""SECURITY.md names tests that exist, and all ten risks."""

import re

from conftest import ROOT

TEXT = (ROOT / "SECURITY.md").read_text()


def test_every_test_that_is_named_exists():
    named = re.findall(r"`([\w.]+)::(\w+)`", TEXT.partition("| API1 ")[2])
    assert len(named) > 30
    for module, name in named:
        if module.endswith(".py"):
            (file,) = [*ROOT.glob(f"tests/template/{module}"), *ROOT.glob(f"tests/clients/{module}")]
            definition = rf"^def {name}\("
        else:
            file = ROOT / f"tests/behaviour/{module}.rs"
            definition = rf"^#\[(tokio::)?test.*\n(#\[ignore.*\n)?(async )?fn {name}\("
        assert re.search(definition, file.read_text(), re.MULTILINE), f"{module}::{name}"


def test_the_ten_risks_are_there_each_with_a_test():
    rows = re.findall(r"^\| (API\d+) .*\|.*\|(.*)\|$", TEXT, re.MULTILINE)
    assert [risk for risk, _ in rows] == [f"API{number}" for number in range(1, 11)]
    assert all("::" in tests for _, tests in rows)
