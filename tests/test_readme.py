"""The README shows what the study wrote, and its commands are ones that work."""

import re
from pathlib import Path

import pytest

from pipeline import publish

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_the_one_that_the_study_wrote():
    table = (ROOT / "docs" / "results" / "scores.md").read_text(encoding="utf-8")
    assert publish.between(README, "scores", table) == README
    assert "Integrated Gradients" in table


def test_every_file_that_it_links_is_there():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def test_every_make_target_that_it_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= targets


def test_marks_that_are_missing_are_said_to_be_missing():
    with pytest.raises(ValueError, match="no marks <!-- scores: begin -->"):
        publish.between("nothing", "scores", "table")


def test_a_table_takes_the_place_of_the_one_before():
    text = "a\n<!-- t: begin -->\n\nold\n\n<!-- t: end -->\nb\n"
    assert publish.between(text, "t", "new\n") == text.replace("old", "new")
