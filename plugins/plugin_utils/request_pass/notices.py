# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Warnings to owners before their keys end, the note on requests whose keys have ended, and the upkeep of their Secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from ...module_utils.common import durations
from ...module_utils.common.printable import printable
from ...module_utils.key_requests import transitions
from ...module_utils.key_requests.errors import StoreRejected
from ...module_utils.key_requests.record import APPROVED, Record
from ...module_utils.keys.key import LiveKey
from ...module_utils.keys.results import describe_key
from ..delivery import DeliverySettings
from ..expiry_notices import expiry_mails, expiry_notes
from .ended import split_ended
from .parts import PATIENCE, PassParts
from .report import TaskReport
from .sealing import BoxUpkeepReport, reseal_rotated
from .upkeep import UpkeepReport, find_secrets, outdated_and_lost, remove_secrets, update_secrets


@dataclass
class NoticesReport(TaskReport):
    """What a run did: how many requests ended, how many owners were warned, and why others were not, by alias, and the upkeep of Secrets."""

    ended: int = 0
    warned: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    secrets: UpkeepReport = field(default_factory=UpkeepReport)
    boxes: BoxUpkeepReport = field(default_factory=BoxUpkeepReport)

    @property
    def changed(self) -> bool:
        return bool(self.warned or self.ended or self.secrets.updated or self.secrets.removed or self.boxes.resealed)

    @property
    def failed(self) -> bool:
        return bool(self.failures or self.secrets.failures or self.boxes.failures)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        return [
            f"{self.warned} owners were warned, {self.ended} requests have ended.",
            *(f"the owner of {alias} was not warned: {printable(reason, 400)}" for alias, reason in self.failures.items()),
            *self.secrets.lines(),
            *self.boxes.lines(),
        ]


def warn_owners(parts: PassParts, before: Sequence[str], ahead: str, delivery: DeliverySettings, *, patience: float = PATIENCE) -> NoticesReport:
    """Warn the owners of keys that end soon, once for each of the spans `before` a key's end, and note whose keys have ended.

    `ahead` is the time between two runs: a warning is sent early rather than late. Raises StoreError and GatewayError if the
    store or the gateway fails, and ValueError for a span that is not a duration.
    """
    report = NoticesReport()
    with parts.store.turn(patience):
        # Secrets and requests first: a key that is made between two readings must not look as if it were gone.
        secrets = find_secrets(parts.secrets, delivery, report.secrets)
        minted = [record for record in parts.store.listing((APPROVED,)).records if record.progress.minted_at]
        living = parts.gateway.living_keys()
        keys, alive = [describe_key(row) for row in living], frozenset(row.served_alias for row in living)
        _note_ended(parts, [record for record in minted if not record.progress.ended_at], living, report)
        outdated, lost = outdated_and_lost(secrets, keys, alive)
        update_secrets(parts.gateway, parts.secrets, outdated, delivery, report.secrets)
        report.boxes = reseal_rotated(parts.store, minted, keys, delivery, parts.clock())
        own = frozenset(record.progress.key_alias for record in minted)
        remove_secrets(parts.gateway, parts.secrets, lost, own=own, now=parts.clock(), right_gateway=len(lost) < len(secrets), report=report.secrets)
        _warn(parts, keys, before, ahead, report)
    return report


def _note_ended(parts: PassParts, kept: Sequence[Record], living: Sequence[LiveKey], report: NoticesReport) -> None:
    alive = {row.served_alias for row in living}
    _note_new_ends(parts, kept, living)
    missing = [record for record in kept if record.progress.key_alias not in alive and record.progress.finished_at]
    ended, unknown = split_ended(parts.gateway, missing, now=parts.clock(), right_gateway=len(missing) < len(kept))
    at = parts.clock()
    outcomes = parts.store.transition_all([(record, partial(transitions.mark_ended, at=at)) for record in ended])
    report.warnings += [str(outcome.error) for outcome in outcomes if isinstance(outcome.error, StoreRejected)]
    report.ended = sum(outcome.transition is not None and outcome.transition.changed for outcome in outcomes)
    if unknown:
        report.warnings.append(
            f"the gateway knows nothing of the keys of {len(unknown)} requests, {unknown[0].progress.key_alias} among them; check that it is the right one."
        )


def _note_new_ends(parts: PassParts, kept: Sequence[Record], living: Sequence[LiveKey]) -> None:
    """Note on requests when their keys end now, where somebody changed that: a person may ask anew when the noted end has passed."""
    ends = {row.alias: durations.iso(row.expires) if row.expires else "" for row in living if row.in_service}
    changed = [record for record in kept if ends.get(record.progress.key_alias, record.progress.expires) != record.progress.expires]
    at = parts.clock()
    note = partial(transitions.note_end, terms={}, reason="The end of the key was changed at the gateway.", by="gateway", at=at)
    parts.store.transition_all([(record, partial(note, expires=ends[record.progress.key_alias])) for record in changed if not record.renews])


def _warn(parts: PassParts, keys: Sequence[Mapping[str, Any]], before: Sequence[str], ahead: str, report: NoticesReport) -> None:
    now = durations.parse_time(parts.clock())
    by = durations.iso(now + timedelta(seconds=durations.seconds(ahead, "the time between two runs", least=0)))
    mails = expiry_mails(keys, before, by)
    if not mails:
        return
    results = dict(zip((mail["alias"] for mail in mails), parts.mailer.send(mails), strict=True))
    for name in parts.channels.channels("expiry"):
        posted = zip(mails, parts.channels.post(name, mails), strict=True)
        report.failures |= {f"{mail['alias']} (webhook {name})": result.reason for mail, result in posted if not result.delivered}
    sent = {alias for alias, result in results.items() if result.delivered}
    report.warned = len(sent)
    report.failures |= {alias: result.reason for alias, result in results.items() if not result.delivered}
    notes = expiry_notes(keys, sent, before, by)
    failures = parts.gateway.change({note["alias"]: {"metadata": note["metadata"]} for note in notes}) if notes else {}
    report.failures |= {alias: f"the warning was sent, and could not be noted on the key: {reason}" for alias, reason in failures.items()}
