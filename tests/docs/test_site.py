"""The built site: no broken link, nothing from another host, a search index, and a signature for every function of the API."""

from __future__ import annotations

import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts import check_site, python_reference
from tests.tools import running

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    words = (sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder))
    done = running.run(*words, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr
    return folder


class Headings(HTMLParser):
    """The IDs of the headings of a page that mkdocstrings has made."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the ID of a heading."""
        given = dict(attrs)
        if re.fullmatch(r"h\d", tag) and "doc-heading" in (given.get("class") or ""):
            self.found.add(given["id"] or "")


@pytest.mark.thorough
def test_no_link_is_broken_and_nothing_comes_from_another_host(site: Path) -> None:
    assert list(check_site.faults(site)) == []


@pytest.mark.thorough
def test_every_public_name_has_a_heading(site: Path) -> None:
    found = set().union(*(Headings(page).found for page in (site / "reference" / "python").glob("*.html")))
    wanted = {each for name in python_reference.PAGES for each in python_reference.shown(name)}
    assert wanted - found == set()
    operations = ("echo", "store", "store_many", "find", "get", "move", "get_instances", "cancel", "release", "abort")
    assert {f"dimse.{face}Association.{name}" for name in operations for face in ("", "aio.")} <= found


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("associations", 'called_ae_title: str = "ANY-SCP"'),
        ("associations", 'transcode: Transcode = "lossless"'),
        ("settings", "half_open_bytes: int = 33554432"),
        ("serving", "networks: "),
        ("aio", "async_ops: int = 1"),
        ("aio", "The networks that peers may connect from, in CIDR notation"),
        ("serving", "The only AE titles that may call, if any are given"),
    ],
)
def test_a_signature_has_the_arguments_of_run_time(site: Path, page: str, words: str) -> None:
    text = re.sub("<[^>]*>", "", (site / "reference" / "python" / f"{page}.html").read_text())
    assert words in text.replace("&#34;", '"').replace("&quot;", '"')


@pytest.mark.thorough
def test_the_search_knows_options_and_names(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    text = "".join(entry["text"] for entry in index["docs"])
    assert "--retry-wait" in text
    assert {"dimse.Forwarder", "dimse.errors.AssociationRejected"} <= {
        entry["location"].partition("#")[2] for entry in index["docs"]
    }


# ---- the checker


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="b.html">b</a> <a href="b.html#one">b</a> <a href="#here" id="here">here</a>', ""),
        ('<a href="https://example.org/x">out</a> <img src="data:image/png;base64,AA==">', ""),
        ('<a href="c.html">c</a>', "c.html: does not exist"),
        ('<a href="b.html#two">b</a>', "b.html#two: has no such element"),
        ('<a href="../b.html">b</a>', "../b.html: does not exist"),
        ('<img src="https://example.org/x.png">', "fetches https://example.org/x.png"),
        ('<script src="//example.org/x.js"></script>', "fetches //example.org/x.js"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "fetches https://example.org/x.css"),
        ("<p style=\"background: url('https://example.org/x.png')\">", "fetches https://example.org/x.png"),
    ],
)
def test_the_checker_finds_a_fault(tmp_path: Path, html: str, fault: str) -> None:
    (tmp_path / "b.html").write_text('<h1 id="one">b</h1>')
    (tmp_path / "a.html").write_text(html)
    assert list(check_site.faults(tmp_path)) == ([f"a.html: {fault}"] if fault else [])


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.css", "p { background: url(b.png) } /* https://example.org */", ""),
        ("a.css", '@import "https://example.org/x.css";', "fetches https://example.org/x.css"),
        (
            "a.svg",
            "<style>@font-face { src: url(https://example.org/x.woff) }</style>",
            "fetches https://example.org/x.woff",
        ),
        ("a.js", "/* https://example.org */ let a = 'http://www.w3.org/2000/svg'", ""),
        ("a.js", "load('https://example.org/x.js')", "has https://example.org/x.js"),
    ],
)
def test_the_checker_looks_into_styles_pictures_and_scripts(tmp_path: Path, name: str, text: str, fault: str) -> None:
    (tmp_path / name).write_text(text)
    assert list(check_site.faults(tmp_path)) == ([f"{name}: {fault}"] if fault else [])
