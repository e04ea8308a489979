# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Read the guides as a reader who types what they show: the commands of a page, the output of each, and the files.

- A block ``console`` has commands, each on a line that begins with ``$ `` (or ``# ``, as root), or on several that end with a backslash. The lines up
  to the next command are its standard output. If there are no such lines, any output will do.
- A block whose first line is a comment with a file's name, ``# chain.yml``, is a file that the reader saves.

In the output, ``...`` stands for any text, even several lines. Differences in blanks, and in dates and times, do not count.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GUIDES = Path(__file__).parents[3] / "docs" / "docsite" / "rst"
BLOCK = re.compile(r"^( *)\.\. code-block:: *(\S+)\n((?:\1 +\S.*\n|[ ]*\n)+)", re.MULTILINE)
TIME = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}Z)?\b")
FILE = re.compile(r"# ([\w.-]+\.\w+)\n")


@dataclass(frozen=True)
class File:
    name: str
    content: str


@dataclass(frozen=True)
class Command:
    line: int
    text: str
    seen: str


def steps(text: str) -> Iterator[File | Command]:
    """Return the files and commands of a page in their order."""
    for block in BLOCK.finditer(text):
        body = textwrap.dedent(block[3])
        if block[2] == "console":
            yield from _commands(body, text.count("\n", 0, block.start(3)) + 1)
        elif name := FILE.match(body.lstrip("\n")):
            yield File(name[1], body.strip("\n") + "\n")


def blocks(text: str, language: str) -> list[str]:
    """Yield the content of each block of a language."""
    return [textwrap.dedent(block[3]).strip("\n") + "\n" for block in BLOCK.finditer(text) if block[2] == language]


def _commands(body: str, first: int) -> Iterator[Command]:
    lines = body.split("\n")
    at = [number for number, line in enumerate(lines) if line.startswith(("$ ", "# "))]
    for begin, end in zip(at, [*at, len(lines)][1:], strict=True):
        last = begin
        while lines[last].endswith("\\"):
            last += 1
        text = "\n".join(lines[begin : last + 1])[2:]
        yield Command(first + begin, text, "\n".join(lines[last + 1 : end]).strip())


def agrees(shown: str, seen: str) -> bool:
    """Return whether the output is as the page shows it."""
    shown, seen = TIME.sub("TIME", shown), TIME.sub("TIME", seen)
    parts = [re.escape(" ".join(part.split())) for part in shown.split("...")]
    pattern = ".*".join(parts).replace(r"\ ", " *")
    return re.fullmatch(f" *{pattern} *", " ".join(seen.split())) is not None
