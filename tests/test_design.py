"""The pages of the project: their links, the walks of docs/design.md, and the form of the decisions."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts import make_reference

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "design.md").read_text()
STOPS = re.findall(r"^\d+\. `([\w/]+\.py)`: `([\w.]+)`", PAGE, re.MULTILINE)


def definitions(module: Path) -> set[str]:
    """Return the names of the classes, methods and functions of a module."""
    found = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (child for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{method.name}" for method in methods}
    return found


@pytest.mark.parametrize(("file", "name"), STOPS)
def test_a_stop_of_a_walk_exists(file: str, name: str) -> None:
    assert name in definitions(ROOT / "src" / "dimse" / file)


def test_the_walks_are_short() -> None:
    walks = re.findall(r"\*\*From .*?\*\*\n\n((?:\d+\. .*\n)+)", PAGE)
    assert len(walks) == 3
    assert all(len(walk.splitlines()) <= 12 for walk in walks)


PAGES = [page for page in ROOT.rglob("*.md") if not any(part.startswith(".") for part in page.relative_to(ROOT).parts)]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = {(page.parent / link).resolve() for link in links if not (page.parent / link).exists()}
    # The pages of the reference are made while the site is built.
    assert missing - {ROOT / "docs" / generated for generated in make_reference.pages()} == set()


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_context_decision_and_cost(page: Path) -> None:
    number, title, text = page.name[:4], *page.read_text().split("\n", 1)
    assert title.startswith(f"# {number} ")
    assert re.findall("^## (.*)", text, re.MULTILINE)[:3] == ["Context", "Decision", "Cost"]
    assert f"[{number}]({page.name}) {title[7:]}\n" in (page.parent / "README.md").read_text()
