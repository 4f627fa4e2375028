"""Check the built documentation site: `python -m scripts.check_site .site`.

Every link within the site has to lead to a file, and to an element if it has a fragment. When a page is viewed, nothing may be
fetched from another host: no image, style, script or font. A reader may follow links to other hosts; these are not checked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# The attributes of elements whose target a browser fetches when it shows the page.
FETCHED = {"src", "srcset", "poster", "data"}
# The relations of a `link` element that a browser does not fetch.
ONLY_NAMED = {"canonical", "next", "prev", "author", "license"}
CSS_URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# An address in a script is suspicious, except where it is the name of a language, or in a message, or this machine.
ADDRESS = re.compile(r"""https?://(?!www\.w3\.org/|clipboardjs\.com|github\.com/|bit\.ly/|127\.0\.0\.1\b)[^"'`\s)]+""")


class Page(HTMLParser):
    """A page of the site: what it links to, what it fetches, and the elements that have a name.

    Attributes:
        links: The targets of its links.
        fetched: The targets that a browser fetches to show it.
        anchors: The IDs and names of its elements.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the targets and the names of an element."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        fetched = [given[name] for name in FETCHED & given.keys()]
        fetched += [url for found in CSS_URL.findall(given.get("style", "")) for url in found if url]
        if "href" in given:
            is_fetched = tag == "link" and not ONLY_NAMED & set(given.get("rel", "").split())
            (fetched if is_fetched or tag == "use" else self.links).append(given["href"])
        self.fetched += fetched


def faults(site: Path) -> Iterator[str]:
    """Yield a line for each fault of a site."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        where = path.relative_to(site)
        yield from (f"{where}: fetches {url}" for url in page.fetched if _is_elsewhere(url))
        for url in (*page.links, *page.fetched):
            why = _broken(site, path, url, pages)
            if why:
                yield f"{where}: {url}: {why}"
    for path in sorted((*site.rglob("*.css"), *site.rglob("*.svg"))):
        named = (url for found in CSS_URL.findall(path.read_text(encoding="utf-8")) for url in found if url)
        yield from (f"{path.relative_to(site)}: fetches {url}" for url in named if _is_elsewhere(url))
    for path in sorted(site.rglob("*.js")):
        urls = ADDRESS.findall(COMMENT.sub("", path.read_text(encoding="utf-8")))
        yield from (f"{path.relative_to(site)}: has {url}" for url in urls)


def _is_elsewhere(url: str) -> bool:
    return bool(urlsplit(url).netloc) and not url.startswith("data:")


def _broken(site: Path, path: Path, url: str, pages: dict[Path, Page]) -> str:
    """Return why a link does not lead to a place of the site; empty if it does, or leads out of the site."""
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return ""
    target = (
        path if not parts.path else (site if url.startswith("/") else path.parent) / unquote(parts.path).lstrip("/")
    )
    target = target.resolve()
    if not target.is_relative_to(site.resolve()) or not target.exists():
        # The page for addresses that do not exist has links as of the root of a server.
        return (
            ""
            if path.name == "404.html" and url.startswith("/") and (site / url.lstrip("/")).exists()
            else "does not exist"
        )
    fragment = unquote(parts.fragment)
    if not fragment or target.suffix != ".html":
        return ""
    found = next((page for other, page in pages.items() if other.resolve() == target), None)
    return "" if found is None or fragment in found.anchors else "has no such element"


def main() -> int:
    site = Path(sys.argv[1])
    found = list(faults(site))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{sum(1 for _ in site.rglob('*.html'))} pages, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
