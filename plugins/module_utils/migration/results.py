# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The results of the module for migrations, and their diff."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..keys import derive
from ..keys.key import LiveKey
from ..keys.plan import KeyAction
from ..keys.results import KeyOutcome, describe_key
from ..litellm import errors
from .move_note import NOTE
from .plan import Move, MovePlan, differences, shown

_ACTION_NAMES = {KeyAction.CREATE: "created", KeyAction.UPDATE: "updated", KeyAction.KEEP: "unchanged"}


@dataclass
class MigrationOutcome:
    """The moves that were done, or in check mode would be done.

    `after` holds the keys at the target by alias as they were listed afterwards, `verified` the aliases whose values work
    there, `failures` the reason for each alias that is not as it should be. `retired` is the deletion at the source.
    """

    plan: MovePlan
    after: dict[str, LiveKey] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    touched: bool = False
    retired: KeyOutcome | None = None

    def to_result(self, *, reveal: bool, with_diff: bool) -> dict[str, Any]:
        """Return the module's result. Values are included only with `reveal`, and only those that the target has."""
        keys = [_entry(move, self, reveal=reveal) for move in self.plan.moves if move.alias not in self.failures]
        retired = [] if self.retired is None else [key.alias for key in self.retired.done]
        counts = {word: sum(1 for key in keys if key["action"] == word) for word in _ACTION_NAMES.values()}
        result: dict[str, Any] = {
            "changed": (self.plan.changed if not self.failures else self.touched) or (self.retired is not None and self.retired.changed),
            "virtual_keys": keys,
            "counts": {**counts, "left_out": len(self.plan.left_out), "retired": len(retired)},
            "left_out": [{"alias": each.row.alias, "key_id": each.row.token, "code": each.code, "msg": each.reason} for each in self.plan.left_out],
            "retired": sorted(retired),
        }
        if self.failures:
            result["failures"] = dict(sorted(self.failures.items()))
        if self.retired is not None and self.retired.revocation is not None:
            result["revocation"] = self.retired.revocation.to_result()
        if with_diff:
            writing = [move for move in self.plan.moves if move.action is not KeyAction.KEEP]
            result["diff"] = {
                "before": {move.alias: shown(move.live) for move in writing if move.live},
                "after": {move.alias: shown(self.after.get(move.alias, move.row)) for move in writing},
            }
        return result


class MigrationIncomplete(errors.GatewayError):
    """Some keys are not at the target as they should be, or are still at the source; running again does the rest.

    `code` is another than `incomplete` if the source does not prove that it refuses the values of the keys that were deleted there.
    """

    def __init__(self, message: str, outcome: MigrationOutcome, code: str = "incomplete") -> None:
        super().__init__(message)
        self.outcome = outcome
        self.code = code


def _entry(move: Move, outcome: MigrationOutcome, *, reveal: bool) -> dict[str, Any]:
    live = outcome.after.get(move.alias) or move.live
    entry = describe_key(live or move.row)
    entry["metadata"] = {name: value for name, value in entry["metadata"].items() if name != NOTE}
    entry |= {
        "alias": move.alias,
        "key_id": move.token,
        "action": _ACTION_NAMES[move.action],
        "verified": move.alias in outcome.verified,
        "renewed": move.renewed,
        "differs": differences(move, live) if live else [],
    }
    if move.new_generation is not None:
        entry["generation"] = move.new_generation  # until the key is there, the row is that of the source
    if reveal and derive.token(move.value) == move.token:
        entry["value"] = move.value
    return entry
