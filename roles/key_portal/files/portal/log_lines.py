# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The lines of the log: text, or JSON for whoever collects them.

Lines of the audit log name people. In JSON they do only if PORTAL_LOG_PERSONS says so: otherwise a person is an id, which is the same in all
lines of processes with the same PORTAL_SECRET, and addresses in other lines are left out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

TEXT, JSON = "text", "json"
_TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ADDRESS = re.compile(r"[^\s@\"'<>()\[\],;:]+@[^\s@\"'<>()\[\],;:]+")
_PERSONS = ("who", "email")
"""Facts of the audit log that are a person; `peer` is where they are, and what granting and asking hold is about keys."""
SOMEBODY = ("somebody", "admin")
"""Names that are nobody's in particular."""


class JsonLines(logging.Formatter):
    """One JSON object a line. `secret` makes the ids of people; without one they are those of this process."""

    def __init__(self, *, persons: bool = False, secret: str = "") -> None:
        super().__init__()
        self._persons, self._secret = persons, (secret or secrets.token_urlsafe(32)).encode()

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        facts = getattr(record, "facts", None)
        line |= self._shown(facts) if isinstance(facts, Mapping) else {"message": self._masked(record.getMessage())}
        if record.exc_info:
            line["error"] = self._masked(self.formatException(record.exc_info))
        return json.dumps(line)

    def _shown(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the facts of a line of the audit log as they may be shown. Its time is that of what happened."""
        if self._persons:
            return dict(facts)
        kept = {name: self._masked(value) if isinstance(value, str) else value for name, value in facts.items() if name not in (*_PERSONS, "peer")}
        return {**kept, **{f"{name}_id": self._id(str(facts[name])) for name in _PERSONS if facts.get(name)}}

    def _id(self, name: str) -> str:
        return name if name in SOMEBODY else hmac.new(self._secret, b"person\0" + name.lower().encode(), hashlib.sha256).hexdigest()[:16]

    def _masked(self, text: str) -> str:
        return text if self._persons else _ADDRESS.sub("(address)", text)


def configure_logging(log_format: str, *, persons: bool = False, secret: str = "") -> None:
    """Let everything be logged to standard error, in this format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(persons=persons, secret=secret) if log_format == JSON else logging.Formatter(_TEXT_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
