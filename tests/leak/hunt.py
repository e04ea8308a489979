# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Secrets, and the places where they may not be found: the output of runs, the arguments and environments of their processes,
and the files that they leave."""

from __future__ import annotations

import base64
import dataclasses
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.support.processes import Sampler, descendants

_KEY = re.compile(rb"sk-[A-Za-z0-9_-]{16,}")


@dataclasses.dataclass(frozen=True)
class Leak:
    """A secret, by its name and never by its value, and the place where it was found."""

    secret: str
    place: str

    def __str__(self) -> str:
        return f"{self.secret} in {self.place}"


class Secrets:
    """Named secrets, and everything that looks like a key: every minted value begins with sk-."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._forms = {name: _forms(value) for name, value in named.items()}

    def found_in(self, content: bytes) -> set[str]:
        """Return the names of the secrets that the content holds, in plain text or in base64."""
        found = {name for name, forms in self._forms.items() if any(form in content for form in forms)}
        known = [form for forms in self._forms.values() for form in forms]
        if any(match not in known for match in _KEY.findall(content)):
            found.add("a key")
        return found


def _forms(value: str) -> list[bytes]:
    plain = value.encode()
    # In base64 of a longer text, a secret shows in one of three ways, by where it begins.
    encoded = [base64.b64encode(b"\0" * shift + plain)[(0, 2, 3)[shift] : -4].rstrip(b"=") for shift in range(3)]
    return [plain, *encoded]


LITELLM = re.compile(rb"(?:^|\0)LITELLM_GATEWAY_LOCK=[^\0]*/litellm\.lock(?:\0|$)")
"""Secrets in the environment of LiteLLM and its children: gatewayctl puts them there because LiteLLM reads them nowhere else."""
LITELLM_S_OWN = frozenset({"master key", "provider's key"})


class Watch(Sampler):
    """Samples the arguments and environments of all descendants of a process, until the block is left.

    A LiteLLM that is being started is among them, with its own secrets in its environment.
    """

    def __init__(self, secrets: Secrets, ancestor: int) -> None:
        super().__init__()
        self._ancestor = ancestor
        self.leaks: set[Leak] = set()
        self.samples = 0
        self._secrets = secrets
        self._seen: set[tuple[int, bytes]] = set()

    def sample(self) -> None:
        for process in descendants(self._ancestor):
            for what in ("cmdline", "environ"):
                try:
                    content = Path(f"/proc/{process}/{what}").read_bytes()
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
                self.samples += 1
                if content and (process, content) not in self._seen:
                    self._seen.add((process, content))
                    program = content.split(b"\0")[0].decode(errors="replace") if what == "cmdline" else "a process"
                    meant = LITELLM_S_OWN if what == "environ" and LITELLM.search(content) else frozenset()
                    self.leaks |= {Leak(name, f"the {what} of {Path(program).name}") for name in self._secrets.found_in(content) - meant}


@dataclasses.dataclass(frozen=True)
class Place:
    """Files that are meant to hold certain secrets; nobody but their owner may read them."""

    pattern: str
    secrets: frozenset[str]


def leaks_in_files(folder: Path, secrets: Secrets, meant: Iterable[Place]) -> Iterator[Leak]:
    """Find secrets below the folder in files that are not meant to hold them or that other users can read."""
    places = list(meant)
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        name = str(file.relative_to(folder))
        allowed = frozenset[str]().union(*(place.secrets for place in places if re.fullmatch(place.pattern, name)))
        for secret in sorted(secrets.found_in(file.read_bytes())):
            if secret not in allowed:
                yield Leak(secret, f"the file {name}")
            elif stat.S_IMODE(file.stat().st_mode) & 0o077:
                yield Leak(secret, f"the file {name}, which others can read")
