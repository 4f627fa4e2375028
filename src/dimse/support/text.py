"""Text of a peer or a file, made fit to be printed."""

from __future__ import annotations


def one_line(text: str, most: int = 1024) -> str:
    """Return `text` on one line of at most `most` characters; those that cannot be printed are escaped."""
    if len(text) > most:
        text = text[:most] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


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
