"""Run one fuzz target with atheris: `python -m fuzz TARGET [CORPUS or INPUT ...] [-libFuzzer_flag=value ...]`."""

from __future__ import annotations

import shlex
import sys
import time
from importlib import import_module
from pathlib import Path

import atheris

from fuzz import SEEDS, TARGETS

# For one input. This is processor time, because the clock also runs while a busy machine does something else.
CPU_SECONDS = 1.0
FOUND = Path(".fuzz")  # in the current folder
FLAGS = ("-timeout=20", "-rss_limit_mb=256", "-max_len=8192", "-print_final_stats=1")


def main() -> None:
    """Fuzz the target that the first argument names. Without a corpus, use its seeds and the findings of earlier runs."""
    target, *arguments = sys.argv[1:] or [""]
    if target not in TARGETS:
        sys.exit(f"usage: python -m fuzz {{{','.join(TARGETS)}}} [CORPUS or INPUT ...] [-libFuzzer_flag=value ...]")
    corpus = FOUND / target
    corpus.mkdir(parents=True, exist_ok=True)
    if all(argument.startswith("-") for argument in arguments):
        arguments += [str(corpus), str(SEEDS / target)]
    with atheris.instrument_imports(include=["dimse"]):
        one = import_module(f"fuzz.{target}").one

    def within_its_time(data: bytes) -> None:
        started = time.process_time()
        one(data)
        if (seconds := time.process_time() - started) > CPU_SECONDS:
            raise TimeoutError(f"{len(data)} bytes took {seconds:.1f} s")

    atheris.enabled_hooks.add("str")
    # libFuzzer runs this command if a flag asks for a process of its own.
    again = f"{shlex.quote(sys.executable)} -m fuzz {target}"
    atheris.Setup([again, *FLAGS, f"-artifact_prefix={corpus}-", *arguments], within_its_time)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
