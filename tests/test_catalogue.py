"""The pages that are written from the source are what the source says today."""

from pathlib import Path

from pipeline import catalogue, signatures

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_methods_is_current():
    assert (DOCS / "methods.md").read_text(encoding="utf-8") == catalogue.methods(), "run make docs"


def test_every_method_has_its_row_its_section_and_its_parameters():
    page = catalogue.methods()
    for name in signatures.names("attribution"):
        assert page.count(f"| [`{name}`](#{name}) |") == 1
        assert page.count(f"\n### {name}\n") == 1
        section = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        for key in signatures.parameters("attribution", name):
            assert f"`{key}" in section


def test_a_row_tells_the_passes_and_the_needs():
    page = catalogue.methods()
    assert "| [`random_map`](#random_map) | Random | none | sum |  |" in page
    assert "| 1 forward, 1 backward | sum | target_layer |" in page
    assert "steps + 1 forward, steps backward; 1 forward a batch" in page
    assert "`steps: 32`" in page
    assert "Parts: `mean`, `square`, `variance`" in page
