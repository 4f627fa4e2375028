"""The hooks of `mkdocs build`: generated pages, their places in the navigation, and links that leave the folder `docs`."""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
# mkdocs runs this file by its path.
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from dimse.tools import TOOLS  # noqa: E402
from scripts import check_site, make_reference, python_reference  # noqa: E402

# Pages that are kept outside the folder `docs`, with their names in the site.
OUTSIDE = {"CHANGELOG.md": "changelog.md", "bench/README.md": "bench.md"}

# The weight of pages in the search: an option is looked for more often than the reason of a decision.
BOOSTS = {"reference/tools/": 8, "troubleshooting": 4, "decisions/": 0.2, "changelog": 0.2}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put into the navigation the generated pages, the decisions, and the pages that it does not name."""
    sections: dict[str, Any] = {title: section for section in config.nav or [] for title in section}
    named = str(config.nav)
    left = [path.name for path in sorted((ROOT / "docs").glob("*.md")) if f"'{path.name}'" not in named]
    sections["How do I ..."]["How do I ..."] += left
    sections["Reference"]["Reference"] = _reference()
    (decisions,) = (entry for entry in sections["About"]["About"] if "Decisions" in entry)
    decisions["Decisions"] = _decisions()
    return config


def _reference() -> list[Any]:
    written = python_reference.pages()
    return [
        "reference/index.md",
        {"Tools": [{tool: f"reference/tools/{tool}.md"} for tool in TOOLS]},
        {
            "Python": [
                {page.title: path}
                for name, page in python_reference.PAGES.items()
                if (path := f"reference/python/{name}.md") in written
            ]
        },
        {"Environment variables": "reference/environment.md"},
        {"Exit statuses": "reference/exit-statuses.md"},
        {"Reports": "reference/reports.md"},
        {"Events of storescp": "reference/events.md"},
        {"The journal": "reference/journal.md"},
        {"Limits": "reference/limits.md"},
        {"Log lines": "reference/log.md"},
    ]


def _decisions() -> list[str]:
    folder = ROOT / "docs" / "decisions"
    return ["decisions/README.md", *(f"decisions/{path.name}" for path in sorted(folder.glob("[0-9]*.md")))]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated, and those that are kept elsewhere."""
    for path, text in make_reference.pages().items():
        files.append(File.generated(config, path, content=text))
    for source, path in OUTSIDE.items():
        files.append(File.generated(config, path, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Let a link to a file of the project lead to its page in the site. A link to a file that has no page becomes plain text."""
    path = page.file.src_uri
    page.meta["search"] = {"boost": next((boost for folder, boost in BOOSTS.items() if path.startswith(folder)), 1)}
    source = next((name for name, other in OUTSIDE.items() if other == path), f"docs/{path}")

    def linked(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        in_project = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if not (ROOT / in_project).exists():
            return match[0]
        in_site = "index.md" if in_project == "README.md" else OUTSIDE.get(in_project, in_project.removeprefix("docs/"))
        if in_site == in_project:
            return words
        return f"[{words}]({posixpath.relpath(in_site, posixpath.dirname(path) or '.')}{anchor})"

    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)", linked, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Remove what the theme brings for other languages and for services of other hosts."""
    assets = Path(config.site_dir) / "assets" / "javascripts"
    shutil.rmtree(assets / "lunr", ignore_errors=True)
    for script in assets.glob("bundle.*.js"):
        # For diagrams, old browsers and counts of stars. The site has none of these, and must never ask another host.
        script.write_text(check_site.ADDRESS.sub("about:blank", script.read_text(encoding="utf-8")), encoding="utf-8")
