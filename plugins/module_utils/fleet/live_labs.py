# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The list of living labs, from any source, and every reason not to believe it.

If only half of the list arrived, the other half would be taken for dead. So a list that may be incomplete is refused: an
error page, one page of several, a count that does not match, a last line without a line break, a lab named twice.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..common import names
from ..common.address import is_address, without_secrets
from ..common.printable import printable, quoted
from ..common.private_file import Owner, replace
from ..common.transport import ending_within, new_session, tls_context
from ..litellm.errors import Refused

# Names by which sources say that there is more than they sent, compared without case and underscores.
_MORE = {"next", "nextpage", "nextpagetoken", "nexttoken", "nextcursor", "nextlink", "continue", "continuetoken", "cursor"}
_MORE |= {"hasmore", "hasnext", "hasnextpage", "truncated", "istruncated", "partial", "incomplete", "incompleteresults", "remainingitemcount"}
_COUNTS = {"count", "total", "totalcount", "totalitems", "totalresults", "numberofelements"}
_PAGES = {"pages", "totalpages", "pagecount", "numpages", "lastpage"}
_WRAPPINGS = {"metadata", "meta", "pagination", "paging", "page", "links"}
_TROUBLE = {"error", "errors", "detail"}


@dataclasses.dataclass(frozen=True)
class Source:
    """The source of the list: exactly one of `labs`, `file`, `command` and `url`.

    `items` is the path of the list in a JSON object, `field` the path of the GUID in an element, both with dots between
    names. `headers` may hold secrets. `memory` is a file that keeps how many labs lived last time.
    """

    labs: Sequence[str] | None = None
    file: str | None = None
    command: Sequence[str] | None = None
    url: str | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ca_path: str | None = None
    timeout: float = 30.0
    items: str = ""
    field: str = "guid"
    minimum: int = 1
    memory: str | None = None
    max_shrink: float = 20.0

    def __post_init__(self) -> None:
        if self.minimum < 1:
            raise ValueError(f"live_minimum is {self.minimum}; give at least 1, for without a living lab every key would be an orphan.")
        if not 0 <= self.max_shrink <= 100:
            raise ValueError(f"live_max_shrink is {self.max_shrink:g}; give a percentage from 0 to 100.")
        if self.command is not None and not self.command:
            raise ValueError("live_command is empty; give the program and its arguments.")
        if self.url is not None and (not is_address(self.url) or "@" in urlsplit(self.url).netloc):
            raise ValueError("live_url is not a plain http or https address; give secrets in live_headers.")

    @property
    def name(self) -> str:
        """The name of the source in messages."""
        if self.url is not None:
            return without_secrets(self.url)
        if self.file is not None:
            return self.file
        return f"the command {self.command[0]}" if self.command else "live_labs"

    def load(self) -> list[str]:
        """Return the GUIDs of the living labs.

        Raises Refused for a list that cannot be believed, with the code `live_labs_failed`, `_empty`, `_partial`,
        `_duplicate` or `_shrunk`.
        """
        if self.labs is not None:
            guids = [str(guid) for guid in self.labs]
        else:
            read: Callable[[Source], str] = _fetched if self.url is not None else _printed if self.command is not None else _content
            guids = parse_guids(read(self), self)
        return self.checked(guids)

    def checked(self, guids: Sequence[str]) -> list[str]:
        """Return `guids`. Raises Refused if there is a reason not to believe them."""
        for number, guid in enumerate(guids, 1):
            try:
                names.check_guid(guid)
            except ValueError:
                raise _refusal(self, "live_labs_failed", f"its entry {number} is {quoted(guid, 40)}, which is no GUID") from None
        twice = sorted(guid for guid, times in Counter(guids).items() if times > 1)
        if twice:
            more = f" and {len(twice) - 1} others" if len(twice) > 1 else ""
            raise _refusal(self, "live_labs_duplicate", f"it names {twice[0]}{more} more than once; have it name each lab once")
        if not guids:
            raise _refusal(self, "live_labs_empty", "it names no lab, so every key would be an orphan")
        if len(guids) < self.minimum:
            raise _refusal(self, "live_labs_partial", f"it names {len(guids)} labs and live_minimum is {self.minimum}")
        last = self._remembered()
        if len(guids) * 100 < last * (100 - self.max_shrink):
            less = f"it names {len(guids)} labs and named {last} last time, which is more than {self.max_shrink:g} % less"
            raise _refusal(self, "live_labs_shrunk", f"{less}; if that is right, raise live_max_shrink once")
        return list(guids)

    def _remembered(self) -> int:
        if not self.memory or not Path(self.memory).exists():
            return 0
        try:
            return int(json.loads(Path(self.memory).read_text(encoding="utf-8"))["count"])
        except (OSError, ValueError, KeyError, TypeError):
            raise _refusal(
                self, "live_labs_failed", f"{self.memory} does not tell how many labs lived last time; remove it if that is no longer known"
            ) from None

    def remember(self, guids: Sequence[str]) -> None:
        """Note in the file `memory` how many labs live. Raises ValueError if it cannot be written."""
        if not self.memory:
            return
        try:
            replace(Path(self.memory), json.dumps({"count": len(guids)}).encode() + b"\n", Owner())
        except OSError as error:
            raise ValueError(f"live_memory is {self.memory}, which cannot be written ({error.strerror}); give another file.") from None


def _refusal(source: Source, code: str, reason: str) -> Refused:
    return Refused(f"the list of living labs from {source.name} cannot be believed: {reason}.", code)


# ------------------------------------------------------------------------------------------------------------- reading
def _content(source: Source) -> str:
    try:
        return Path(str(source.file)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _refusal(source, "live_labs_failed", f"it cannot be read ({getattr(error, 'strerror', None) or 'it is not UTF-8 text'})") from None


def _printed(source: Source) -> str:
    try:
        done = subprocess.run(list(source.command or ()), stdin=subprocess.DEVNULL, capture_output=True, timeout=source.timeout, check=False)
        if done.returncode == 0:
            return done.stdout.decode()
    except subprocess.TimeoutExpired:
        raise _refusal(source, "live_labs_failed", f"it has not ended after {source.timeout:g} s") from None
    except (OSError, ValueError) as error:
        raise _refusal(
            source, "live_labs_failed", f"it cannot be run, or prints no UTF-8 text ({getattr(error, 'strerror', None) or type(error).__name__})"
        ) from None
    message = printable(done.stderr.decode(errors="replace"), 200)
    raise _refusal(source, "live_labs_failed", f"it ended with status {done.returncode}{f' ({message})' if message else ''}")


def _fetched(source: Source) -> str:
    import requests

    url = str(source.url)
    try:
        tls = tls_context(ca_path=source.ca_path) if url.lower().startswith("https:") else None
    except OSError as error:
        raise _refusal(source, "live_labs_failed", f"its authorities cannot be read ({error.strerror or error})") from None
    try:
        with (
            ending_within(source.timeout),
            new_session(tls) as session,
            session.get(url, headers=dict(source.headers), timeout=source.timeout, verify=session.verify, allow_redirects=False, stream=True) as answer,
        ):
            kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
            if answer.status_code != 200:
                raise _refusal(source, "live_labs_failed", f"it answers HTTP {answer.status_code} instead of 200")
            content = answer.content
            promised = answer.headers.get("Content-Length", "")
            if promised.isdecimal() and answer.raw.tell() < int(promised):
                raise _refusal(source, "live_labs_partial", f"{answer.raw.tell()} of {promised} bytes arrived")
    except requests.exceptions.ChunkedEncodingError:
        raise _refusal(source, "live_labs_partial", "its answer was cut off") from None
    except requests.exceptions.RequestException as error:
        raise _refusal(source, "live_labs_failed", f"there is no answer ({type(error).__name__})") from None
    if kind in ("text/html", "application/xhtml+xml"):
        raise _refusal(source, "live_labs_failed", "it answers with an HTML page")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _refusal(source, "live_labs_failed", "its answer is not UTF-8 text") from None


# ------------------------------------------------------------------------------------------------------------- parsing
def parse_guids(text: str, source: Source) -> list[str]:
    """Return the GUIDs in `text`, which is JSON or has one GUID a line, with `#` before comments. Raises Refused."""
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start in ("[", "{") or source.items:
        return _from_json(text, source)
    if start == "<":
        raise _refusal(source, "live_labs_failed", "it is an HTML or XML page")
    if text and not text.endswith("\n"):
        raise _refusal(source, "live_labs_partial", "its last line has no line break at its end, so it may have been cut off")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _from_json(text: str, source: Source) -> list[str]:
    try:
        found: Any = json.loads(text)
    except ValueError:
        raise _refusal(source, "live_labs_partial", "it begins as JSON and does not end as such, so it may have been cut off") from None
    outer = found
    if source.items:
        for name in source.items.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    elif isinstance(found, Mapping):
        _check_trouble(found, source)
        lists = [name for name, value in found.items() if isinstance(value, list)]
        if len(lists) != 1:
            raise _refusal(source, "live_labs_failed", f"it is a JSON object with {len(lists)} lists in it; say in live_items which is the one")
        found = found[lists[0]]
    if not isinstance(found, list):
        raise _refusal(source, "live_labs_failed", f"there is no list at {source.items or 'its top'}")
    if isinstance(outer, Mapping):
        _check_trouble(outer, source)
        _check_complete(outer, len(found), source)
    return [_guid(item, number, source) for number, item in enumerate(found, 1)]


def _check_trouble(outer: Mapping[str, Any], source: Source) -> None:
    for name, value in outer.items():
        if name.lower() in _TROUBLE and value:
            raise _refusal(source, "live_labs_failed", f"it tells of an error ({name}: {printable(json.dumps(value), 100)})")


def _check_complete(outer: Mapping[str, Any], length: int, source: Source) -> None:
    """Raise Refused if the object around a list says that there is more."""
    for name, value in outer.items():
        plain = re.sub(r"[^a-z]", "", name.lower())
        if plain in _WRAPPINGS and isinstance(value, Mapping):
            _check_complete(value, length, source)
        elif plain in _MORE and value:
            raise _refusal(source, "live_labs_partial", f"it is one page of several ({name} is set); have it send all labs at once")
        elif plain in _PAGES and isinstance(value, int) and value > 1:
            raise _refusal(source, "live_labs_partial", f"it is one page of {value}; have it send all labs at once")
        elif plain in _COUNTS and isinstance(value, int) and not isinstance(value, bool) and value != length:
            raise _refusal(source, "live_labs_partial", f"its {name} is {value}, and it names {length}")


def _guid(item: Any, number: int, source: Source) -> str:
    found = item
    if isinstance(item, Mapping):
        for name in source.field.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str):
        raise _refusal(
            source,
            "live_labs_failed",
            f"its entry {number} has no GUID{f' at {source.field}' if isinstance(item, Mapping) else ''}; say in live_field where it is",
        )
    return found
