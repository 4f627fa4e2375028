"""The rule for the project's English, enforced as far as a program can.

`python -m tests.test_english [PATH ...]` prints what is at fault, `FILE:LINE: RULE: TEXT`, and the counts.

Rules:
    head: a function's docstring begins with an imperative verb, a property's with a noun phrase, a class's with an article.
        A test's states what its name leaves out.
    question: the head of a docstring does not ask.
    trailing: a comment behind code has at most six words.
    long: a sentence has at most 25 words. A name in backticks counts as one word.
    phrase: a turn of phrase that readers stumble over; the list is `BANNED`.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Rooms that still have faults. It is empty, and a new room must not be put into it for long.
NOT_YET: set[str] = set()

MOST_WORDS, MOST_WORDS_BEHIND_CODE = 25, 6

NO_VERBS = re.compile(
    r"""a | about | after | all | also | always | an | and | any | as | at | because | before | between | both | but |
    by | each | either | every | false | for | from | here | how | if | in | into | it | its | less | many | more
    | most | neither | never | no | none | not | of | off | on | once | one | only | onto | or | our | out | over
    | some | so | such | than | that | the | their | then | there | these | they | this | those | to | true | two
    | until | what | when | where | whether | which | while | who | whom | whose | why | with | within | without""",
    re.VERBOSE,
)
VERBS_WITH_SUCH_ENDINGS = re.compile("(?:ss|bring|ping|ring|feed|need|seed|speed|embed|shed|proceed|exceed|focus)$")
QUESTION_WORDS = re.compile("as|how|what|when|where|whether|which|who|whom|whose|why")
NO_NOUNS = re.compile("as|from|how|if|its|of|over|return|what|when|where|whether|which|who|whose|why")
BANNED = re.compile(
    r"""\b(?:(?:is|are|was|were|being)\ (?-i:none)\b | (?<!where\ )(?-i:none)\ (?:is|are|was|were)\b
    | (?:of|to|for|by|that|but|from|with|than|while|says?|matters|knows?|limits?|sees?|logs?)\ who\b
    | (?:(?<=[.:;]\ )|^)who\ (?:(?:is|has|wants?|waits?|sends?)\b)
    | somebody | anybody | nobody | befalls? | befell | 's\ affair | affairs?\ of | that\ one(?=[.,;:)]|$) | those\ ones?
    | of\ its\ own\ accord | lets?\ go | parts?\ from\ us | hereupon | thereby | whereby | is\ no\ news)\b""",
    re.IGNORECASE | re.VERBOSE,
)
DIRECTIVE = re.compile(r"#\s*(?:type:|noqa|pragma|fmt:|mypy:|!|ruff:)")
SECTION = re.compile(r"(?:Args|Arguments|Attributes|Raises|Returns|Yields|Rules|Keyword Args|Fields):$")
SENTENCE_END = re.compile(r"(?<!\b[ei]\.[eg])(?<!\betc)(?<!\bvs)(?<!\.)[.!?][\"')\]*]*\s+")
Fault = tuple[int, str, str]
Block = tuple[int, str]
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def words(text: str) -> list[str]:
    """Return the words of a text; what stands in backticks, and the address of a link, count as one."""
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "`code`", text))
    return [word for word in text.split() if re.search(r"\w", word)]


def in_prose(blocks: Iterable[Block]) -> Iterator[Fault]:
    """Yield the faults of running text."""
    for line, text in blocks:
        for sentence in SENTENCE_END.split(" ".join(text.split())):
            if len(found := words(sentence)) > MOST_WORDS:
                yield line, f"long ({len(found)})", sentence
        yield from in_phrases([(line, text)])


def in_phrases(blocks: Iterable[Block]) -> Iterator[Fault]:
    """Yield the banned phrases of text that is not in sentences."""
    for line, text in blocks:
        for match in BANNED.finditer(re.sub(r"`[^`]*`", "`code`", text)):
            yield line, "phrase", match[0]


def docstring_blocks(text: str, first: int) -> Iterator[Block]:
    """Split a docstring into paragraphs and entries; examples, which are indented, are left out."""
    block: list[str] = []
    start, section = first, False
    for number, line in enumerate([*text.splitlines(), ""], first):
        stripped = line.strip()
        starts_section = SECTION.match(stripped) is not None
        entry = (
            re.match(r"[-*] |\d+\. |[\w*.`, ]{1,40}: ", stripped) if section or stripped[:2] in ("- ", "* ") else None
        )
        if not stripped or starts_section or entry:
            if block:
                yield start, " ".join(block)
            block, start = [], number
            section = starts_section or (section and line.startswith(" "))
            stripped = "" if starts_section else stripped.removeprefix(entry[0] if entry else "")
        if stripped and (section or not line.startswith("    ")):
            start = start if block else number
            block.append(stripped)


def begins_well(node: Documented, head: str) -> bool:
    """Return True if the head of a docstring begins as the rule for its kind says."""
    first, second = (*re.sub(r"[.,:;]", " ", head).split(), "", "")[:2]
    name = first.lower()
    if isinstance(node, ast.ClassDef):
        return first in ("A", "An", "The")
    if isinstance(node, ast.Module):
        return not QUESTION_WORDS.fullmatch(name)
    states = node.name.startswith("test_")
    if states or any(re.search(r"property$|\.setter$", ast.unparse(decorator)) for decorator in node.decorator_list):
        return not NO_NOUNS.fullmatch(name)
    if NO_VERBS.fullmatch(name) or second == "of" or not re.fullmatch(r"[A-Z][a-z-]+", first):
        return False
    return not re.search("(?:s|ing|ed)$", name) or bool(VERBS_WITH_SUCH_ENDINGS.search(name))


def in_docstring(node: Documented) -> Iterator[Fault]:
    """Yield the faults of the docstring of a module, class or function."""
    if text := ast.get_docstring(node):
        line, head = node.body[0].lineno, text.split("\n\n")[0]
        if not begins_well(node, head):
            yield line, "head", head.splitlines()[0]
        if "?" in re.sub(r"`[^`]*`", "", head):
            yield line, "question", head.splitlines()[0]
        yield from in_prose(docstring_blocks(text, line))


def in_comments(source: str) -> Iterator[Fault]:
    """Yield the faults of the comments of a module; lines that follow each other are one text."""
    blocks: list[Block] = []
    previous = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or DIRECTIVE.match(token.string):
            continue
        (line, column), text = token.start, token.string.lstrip("#").strip()
        behind_code = bool(token.line[:column].strip())
        if behind_code and len(words(text)) > MOST_WORDS_BEHIND_CODE:
            yield line, "trailing", text
        if line == previous + 1 and text and not behind_code:
            blocks[-1] = (blocks[-1][0], f"{blocks[-1][1]} {text}")
        else:
            blocks.append((line, text))
        previous = line if text and not behind_code else -1
    yield from in_prose(blocks)


def in_python(source: str) -> Iterator[Fault]:
    """Yield the faults of the docstrings and comments of a module, and the banned phrases of its other strings."""
    yield from in_comments(source)
    docstrings: set[int] = set()
    prose: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented):
            yield from in_docstring(node)
            docstrings.add(id(node.body[0]) if node.body else 0)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose.add(id(node.value))
            if id(node) not in docstrings:
                text = node.value.value.split("\n\n")[0]
                if QUESTION_WORDS.fullmatch(re.split(r"\W", text, maxsplit=1)[0].lower()):
                    yield node.lineno, "head", text.splitlines()[0]
                yield from in_prose([(node.lineno, text)])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield from ((node.lineno, "phrase", match[0]) for match in BANNED.finditer(node.value))


def in_markdown(source: str) -> Iterator[Fault]:
    """Yield the faults of a page. Of tables and headings only the phrases are looked at, and code and HTML are left out."""
    blocks: list[Block] = []
    others: list[Block] = []
    fenced = in_list = False
    fresh = True
    for number, line in enumerate(source.splitlines(), 1):
        stripped = line.strip()
        fenced ^= stripped.startswith("```")
        item = re.match(r"(?:[-*]|\d+\.) ", stripped)
        in_list = bool(item) or (in_list and (not stripped or line.startswith("  ")))
        if (
            fenced
            or not stripped
            or re.match(r"[|#<`]{1}(?:[|#<`]| |!)", stripped)
            or (line.startswith("    ") and not in_list)
        ):
            fresh = True
            if not fenced and stripped[:1] in ("|", "#"):
                others.append((number, stripped))
        elif item or fresh:
            blocks.append((number, stripped.removeprefix(item[0] if item else "")))
            fresh = False
        else:
            blocks[-1] = (blocks[-1][0], f"{blocks[-1][1]} {stripped}")
    yield from in_prose(blocks)
    yield from in_phrases(others)


def faults(path: Path) -> list[Fault]:
    """Return the faults of one file, by line."""
    return sorted((in_python if path.suffix == ".py" else in_markdown)(path.read_text()))


def files(path: Path) -> list[Path]:
    """Return the files below a path that the rule is for: all but this one, which lists what is banned."""
    if path.is_file():
        return [path]
    return sorted(
        file for file in path.rglob("[!.]*.*") if file.suffix in (".py", ".md") and file.name != "test_english.py"
    )


def report(paths: Iterable[Path]) -> Iterator[str]:
    """Yield a line for each fault below these paths."""
    for file in (file for path in paths for file in files(path)):
        for line, rule, text in faults(file):
            yield f"{file.relative_to(ROOT) if file.is_relative_to(ROOT) else file}:{line}: {rule}: {text}"


ROOMS = sorted(
    ["README.md", "CHANGELOG.md", "docs", "scripts", "bench", "fuzz", "tests"]
    + [str(path.relative_to(ROOT)) for path in (ROOT / "src/dimse").iterdir() if any(files(path))]
)


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in NOT_YET])
def test_a_room_is_in_plain_english(room: str) -> None:
    assert "\n".join(report([ROOT / room])) == ""


def test_the_rooms_that_are_not_yet_done_exist() -> None:
    assert NOT_YET - set(ROOMS) == set()


if __name__ == "__main__":
    found = list(report([Path(argument).resolve() for argument in sys.argv[1:]] or [ROOT / room for room in ROOMS]))
    print(*found, sep="\n")
    for rule, count in Counter(re.split(r": | \(", line, maxsplit=2)[1] for line in found).items():
        print(f"{count:5} {rule}")
