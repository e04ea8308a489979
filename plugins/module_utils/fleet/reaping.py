# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Reaping: block the keys of dead labs, unblock those of labs that came back, delete what stayed blocked long enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..common.names import ALIAS_PREFIX
from ..keys.api import KeyApi
from ..keys.key import LiveKey
from ..keys.lab import searches_for
from ..keys.listing import PAGE_SIZE
from ..keys.orphan import ORPHAN
from ..keys.plan import KeyPlan
from ..keys.reconcile import Reconciler
from ..keys.results import KeyOutcome, KeysIncomplete, diff_of
from ..keys.revocation import Proof
from ..litellm.errors import GatewayError
from .labs import by_lab
from .live_labs import Source
from .verdicts import LabVerdict, Living, Reaping, ReapingRules, Stage

_NOTHING = KeyOutcome(KeyPlan(steps=[]))


@dataclass
class ReapingOutcome:
    """The reaping that was done, or in check mode would be done. `living` is how many labs live."""

    reaping: Reaping
    living: int
    change: KeyOutcome = field(default_factory=lambda: _NOTHING)
    deletion: KeyOutcome = field(default_factory=lambda: _NOTHING)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return self.change.changed or self.deletion.changed

    def to_result(self, *, with_diff: bool = False) -> dict[str, Any]:
        """Return what the module returns. Nothing in it is secret."""
        written = [step for step in self.change.done if step.calls]
        blocked = sum(bool(step.after["metadata"].get(ORPHAN)) for step in written)
        result = {
            "changed": self.changed,
            "labs": self.reaping.report(),
            "counts": self.reaping.counts(),
            "fleet": self.reaping.fleet,
            "share": round(self.reaping.share, 2),
            "blocked": blocked,
            "unblocked": len(written) - blocked,
            "deleted": len(self.deletion.done),
            "live": self.living,
        }
        if self.deletion.revocation is not None:
            result["revocation"] = self.deletion.revocation.to_result()
        if with_diff:
            result["diff"] = diff_of([*self.change.done, *self.deletion.done])
        return result


class ReapingIncomplete(GatewayError):
    """The reaping failed half-way. `outcome` holds what was done; code and status are those of the cause."""

    def __init__(self, cause: GatewayError, outcome: ReapingOutcome) -> None:
        super().__init__(str(cause), status=cause.status, detail=cause.detail)
        self.code = cause.code
        self.outcome = outcome


def reap(reconciler: Reconciler, source: Source, rules: ReapingRules, stage: Stage, *, proof: Proof) -> ReapingOutcome:
    """Read the list of living labs, judge every key with the alias prefix, and go as far as `stage` allows.

    Raises Refused before the first write if the list cannot be trusted or too many keys would be orphans, and
    ReapingIncomplete if something failed after the first write.
    """
    api = reconciler.api
    guids = source.load()
    api.check_admin()
    rows = api.keys_like(ALIAS_PREFIX)
    outcome = ReapingOutcome(Reaping.of(rows, Living.of(guids), rules, api.client.now()), len(guids))
    if stage is Stage.REPORT:
        try:
            outcome.reaping.check()
        except GatewayError as error:
            outcome.warnings.append(str(error))
        return outcome
    outcome.reaping.check()
    if not reconciler.check_mode:
        source.remember(guids)
    try:
        _carry_out(reconciler, stage, proof, outcome)
    except GatewayError as error:
        if not outcome.changed:
            raise
        raise ReapingIncomplete(error, outcome) from None
    return outcome


def _carry_out(reconciler: Reconciler, stage: Stage, proof: Proof, outcome: ReapingOutcome) -> None:
    """Block and unblock, then delete, and record in `outcome` what was done. Raises GatewayError."""
    try:
        outcome.change = _block_and_unblock(reconciler, outcome.reaping)
        outcome.warnings += outcome.change.warnings
    except KeysIncomplete as error:
        outcome.change = error.outcome
        raise
    try:
        outcome.deletion = _delete(reconciler, outcome.reaping, stage, proof)
    except KeysIncomplete as error:
        outcome.deletion = error.outcome
        raise


def _block_and_unblock(reconciler: Reconciler, reaping: Reaping) -> KeyOutcome:
    """Block and unblock. A value that was revoked stays blocked."""
    api, rows = reconciler.api, reaping.rows(LabVerdict.BLOCK, LabVerdict.UNBLOCK)
    to_unblock = [row.token for row in reaping.rows(LabVerdict.UNBLOCK)]
    return reconciler.change(rows, reaping.change, lambda: _read_again(api, rows, reaping), find_deleted=lambda _rows: api.deleted_with(to_unblock))


def _delete(reconciler: Reconciler, reaping: Reaping, stage: Stage, proof: Proof) -> KeyOutcome:
    """Delete the keys that still should be deleted: a lab may have come back meanwhile, and its keys been unblocked."""
    rows = reaping.rows(LabVerdict.DELETE)
    if stage is not Stage.DELETE or not rows:
        return _NOTHING
    return reconciler.delete(lambda: reaping.still_to_delete(_read_again(reconciler.api, rows, reaping)), proof=proof)


def _read_again(api: KeyApi, rows: Sequence[LiveKey], reaping: Reaping) -> list[LiveKey]:
    """Return the keys of the labs of `rows` as they are now: lab by lab, or all at once if that takes fewer calls. Raises GatewayError."""
    labs = list(by_lab(rows, reaping.rules.user_base).values())
    of_labs = {row.token for keys in labs for row in keys}
    parts = [part for keys in [*labs, *([row] for row in rows if row.token not in of_labs)] for part in searches_for({row.alias for row in keys})]
    if len(parts) * PAGE_SIZE > reaping.fleet:
        return api.keys_like(ALIAS_PREFIX)
    return api.keys_like(*parts)
