"""The pages for people: each link in the repository leads somewhere, and they stay short enough to be read.

    python -m pytest tests/docs
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted(page for folder in ("docs", "events", "release") for page in (ROOT / folder).rglob("*.md")),
]

CODE = re.compile(r"^ *(`{3,}).*?^ *\1 *$|(`+)(?!`).*?(?<!`)\2(?!`)", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)? *$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def links(text):
    """The targets of a page's links, images included. Code has none."""
    text = CODE.sub("", text)
    return INLINE.findall(text) + REFERENCE.findall(text)


def anchors(text):
    """The anchors that GitHub gives to a page's headings."""
    seen, made = {}, set()
    for heading in HEADING.findall(re.sub(r"^ *(`{3,}).*?^ *\1 *$", "", text, flags=re.MULTILINE | re.DOTALL)):
        heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        times = seen[anchor] = seen.get(anchor, -1) + 1
        made.add(f"{anchor}-{times}" if times else anchor)
    return made


def fault(page, link):
    """What is wrong with a link on a page, if anything is."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT):
        return f"{link} leads out of the repository"
    if not target.exists():
        return f"{link} leads nowhere"
    if anchor and anchor not in anchors(target.read_text()):
        return f"{link}: that page has no such heading"
    return None


def name(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_or_a_heading(page):
    inside = [link for link in links(page.read_text()) if not ELSEWHERE.match(link)]
    assert [found for link in inside if (found := fault(page, link))] == []


def test_a_link_that_leads_nowhere_is_found():
    page = ROOT / "docs/api.md"
    text = "[a](nowhere.md) ![b](../README.md#no-such) [c](#nor-here) [d](../../out) `[e](code)`\n\n[f]: gone.md\n"
    assert [fault(page, link) for link in links(text)] == [
        "nowhere.md leads nowhere",
        "../README.md#no-such: that page has no such heading",
        "#nor-here: that page has no such heading",
        "../../out leads out of the repository",
        "gone.md leads nowhere",
    ]


def test_anchors_are_githubs():
    text = "# The `API`, in short\n## POST or GET?\n### [Keys](keys.md)\n## Keys\n```sh\n# no heading\n```\n## x-job_id & more\n"
    assert anchors(text) == {"the-api-in-short", "post-or-get", "keys", "keys-1", "x-job_id--more"}


def test_all_pages_together_have_at_most_16000_words():
    words = {name(page): len(page.read_text().split()) for page in PAGES}
    assert sum(words.values()) <= 16_000, words


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert len(text.split()) <= 1_100
