"""What keeps .ci/walk.py complete."""

import pytest
from walk import DOCS, PAGES, QUICK, ROOT, Failed, commands, plan


@pytest.mark.parametrize("page", PAGES | DOCS)
def test_the_walk_knows_every_command_of_its_pages(page):
    assert plan(page, (ROOT / page).read_text()) != []


def test_every_page_with_commands_is_walked():
    pages = [ROOT / "README.md", ROOT / "events/README.md", *(ROOT / "docs").rglob("*.md")]
    with_commands = {str(page.relative_to(ROOT)) for page in pages if "\n```sh\n" in page.read_text()}
    assert with_commands == (PAGES | DOCS).keys()


def test_the_quick_walk_knows_no_other_commands():
    page, commands = QUICK
    assert set(commands) <= set(PAGES[page])


def test_a_command_that_the_walk_does_not_know_is_refused():
    text = (ROOT / "README.md").read_text() + "```sh\nls   # new\n```\n"
    with pytest.raises(Failed, match="^README.md has a command that .ci/walk.py does not know: ls   # new$"):
        plan("README.md", text)


def test_a_page_that_no_longer_has_a_command_is_refused():
    text = (ROOT / "README.md").read_text().replace("cargo test ", "cargo local ")
    with pytest.raises(Failed, match="^README.md has no command any more that starts with cargo test $"):
        plan("README.md", text)


def test_a_block_in_another_shell_language_is_refused():
    with pytest.raises(Failed, match="^a block is marked bash: mark it sh$"):
        plan("README.md", "```bash\nls\n```\n")


def test_a_command_of_several_lines_is_one_command():
    block = "# first\na=1 \\\n  b=2\n\nfor x in 1 2; do\n  echo '\n$x'\ndone   # end\n# last\n"
    assert list(commands(block)) == ["a=1 \\\n  b=2", "for x in 1 2; do\n  echo '\n$x'\ndone   # end"]
