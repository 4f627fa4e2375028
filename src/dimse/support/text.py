"""Text of a peer or a file, made fit to be printed."""

from __future__ import annotations


def one_line(text: str, most: int = 1024) -> str:
    """Return `text` on one line of at most `most` characters; those that cannot be printed are escaped.

    Bytes of a file name that are not UTF-8 are escaped as by `path_text`.
    """
    if len(text) > most:
        text = text[:most] + "..."
    if text.isprintable():
        return text
    text = path_text(text)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def counted(number: int, noun: str, nouns: str = "", *, separator: str = "", at_least: bool = False) -> str:
    """Return a number with its noun, such as "1 file" and "2 files".

    Args:
        number: The number.
        noun: The noun in the singular.
        nouns: The plural, if an "s" does not make it.
        separator: The sign between thousands; by default an empty text.
        at_least: True if there may be more, which "+" behind the number says.
    """
    is_one = number == 1 and not at_least
    return f"{number:{separator}}{'+' if at_least else ''} {noun if is_one else nouns or noun + 's'}"


def is_utf8(path: str) -> bool:
    """Return True if a path has no byte that is not UTF-8 (a surrogate of `os.fsdecode`)."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def path_text(path: str) -> str:
    r"""Return a path as text. If it has bytes that are not UTF-8, those are `\xhh`, and each backslash of the path is two.

    This is the one rule for such paths, in logs, tables and reports. `path_of` is the inverse.
    """
    return path if is_utf8(path) else "".join(map(_escaped, path))


def _escaped(char: str) -> str:
    if char == "\\":
        return "\\\\"
    # `os.fsdecode` gives these for bytes of 80H and more.
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char if is_utf8(char) else char.encode("unicode_escape").decode("ascii")


def path_of(text: str) -> str:
    """Return the path that `path_text` has escaped."""
    first, *rest = text.split("\\")
    path, left = first, iter(rest)
    for part in left:
        if part:
            path += chr(0xDC00 + int(part[1:3], 16)) + part[3:]
        else:
            # Two backslashes are one of the path.
            path += "\\" + next(left, "")
    return path


def tag_name(tag: int) -> str:
    """Return a tag in the Standard's notation: "(0008,0018)"."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def stack_of(error: BaseException) -> list[str]:
    """Return the stack of an exception, a line each, without its message, which may hold private data."""
    from traceback import extract_tb

    return [f"  {frame.filename}, line {frame.lineno}, in {frame.name}" for frame in extract_tb(error.__traceback__)]


def host_and_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
