# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Requests as pages show them: what is asked for with its card, the state in a word, the story. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests import transitions
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import APPROVED, DENIED, IN_REVIEW, PENDING, Record
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.terms import NEVER

from ..api.listing import what_of
from ..catalogue import PACKAGE_ICON, USUAL_COLOR, USUAL_ICON, Catalogue
from ..language import Language
from ..wording import terms_in_words
from .choices import MODEL, PACKAGE, titles

if TYPE_CHECKING:
    from .page import Page

CANCELLED, READY, ENDED, MAKING = "cancelled", "ready", "ended", "making"
_COLORS = {PENDING: "blue", IN_REVIEW: "orange", MAKING: "teal", READY: "green", ENDED: "grey", CANCELLED: "grey", DENIED: "red"}


@dataclass(frozen=True)
class RequestView:
    """A request as a page shows it. `status` is one of the texts of the section `state`."""

    record: Record
    title: str
    icon: str
    color: str
    status: str
    terms: tuple[str, ...]

    @property
    def label(self) -> str:
        """The colour of the state's label."""
        return _COLORS[self.status]

    @property
    def is_undecided(self) -> bool:
        return self.status in (PENDING, IN_REVIEW)

    @property
    def can_cancel(self) -> bool:
        return self.is_undecided

    @property
    def short_id(self) -> str:
        """The part of the id before the first dash, by which people tell requests apart."""
        return self.record.id.partition("-")[0]

    @property
    def can_renew(self) -> bool:
        return self.status in (READY, ENDED) and not self.record.renews and bool(self.record.progress.expires or self.status == ENDED)

    @property
    def can_extend(self) -> bool:
        return self.can_renew and self.status == READY


@dataclass(frozen=True)
class Step:
    """Something that happened to a request: a text of the section `step`, and how it looks."""

    at: str
    name: str
    look: str
    reason: str = ""
    by: str = ""
    terms: tuple[str, ...] = ()


def view_of(record: Record, page: Page) -> RequestView:
    """Return a request as it stands now."""
    known = titles(page.portal.catalogue())
    card = known.get(f"{PACKAGE}:{record.package}" if record.package else f"{MODEL}:{what_of(record)}")
    usual_icon = PACKAGE_ICON if record.package else USUAL_ICON
    return RequestView(
        record,
        card.title if card else what_of(record),
        card.icon if card else usual_icon,
        card.color if card else USUAL_COLOR,
        status_of(record, page.portal.clock()),
        tuple(page.language.terms(terms_in_words(record.terms))),
    )


def status_of(record: Record, now: str) -> str:
    """Return the state in a word: that of the record, or what became of its key."""
    if record.cancelled:
        return CANCELLED
    if record.state != APPROVED:
        return record.state
    if transitions.ended_by(record, now).progress.ended_at:
        return ENDED
    return READY if record.progress.minted_at else MAKING


def asked_terms(record: Record) -> dict[str, Any]:
    """Return what was asked for, as terms."""
    asked = {"models": list(record.models), "duration": record.duration, "max_budget": record.max_budget}
    return {name: value for name, value in asked.items() if value not in (None, "", [])}


def timeline_of(record: Record, language: Language, *, with_names: bool = False) -> list[Step]:
    """Return what happened to a request, oldest first. Who did it is for administrators only."""
    steps: list[Step] = []
    cancelled_last = record.cancelled
    for number, entry in enumerate(record.history):
        steps += _key_steps(entry.former_key, renewal=bool(record.renews))
        is_last = number == len(record.history) - 1
        name = CANCELLED if is_last and cancelled_last else entry.now if entry.was != entry.now else "changed"
        look = {APPROVED: "success", DENIED: "danger", PENDING: "info", IN_REVIEW: "warning"}.get(name, "info")
        terms = tuple(language.terms(terms_in_words(entry.terms)))
        steps.append(Step(entry.at, name, look, entry.reason, entry.by if with_names else "", terms))
    progress = record.progress
    facts = {"minted_at": progress.minted_at, "delivered": progress.delivered, "ended_at": progress.ended_at}
    return [*steps, *_key_steps(facts, renewal=bool(record.renews))]


def _key_steps(facts: Mapping[str, Any], *, renewal: bool) -> list[Step]:
    steps = []
    if facts.get("minted_at"):
        steps.append(Step(facts["minted_at"], "lengthened" if renewal else "made", "success"))
    steps += [Step(at, "delivered", "success") for at in sorted(set(facts.get("delivered", {}).values()))]
    if facts.get("ended_at"):
        steps.append(Step(facts["ended_at"], "ended", "pending"))
    return steps


COMPARED = ("models", "duration", "max_budget", "budget_duration", "soft_budget", "rpm_limit", "tpm_limit", "max_parallel_requests")
"""The terms in the table that reviewers see, in this order."""
COLUMNS = ("decide.term", "decide.offered", "decide.asked", "decide.left", "decide.granted")


def compared_terms(record: Record, catalogue: Catalogue, language: Language) -> list[tuple[str, list[str]]]:
    """Return the terms, each with what is offered, what was asked for, what the rules left of it, and what was granted."""
    sources = (_offered_terms(record, catalogue), asked_terms(record), record.terms, record.granted)
    rows = [(name, [_cell(terms.get(name), name, language) for terms in sources]) for name in COMPARED]
    return [(name, cells) for name, cells in rows if any(cells)]


def _offered_terms(record: Record, catalogue: Catalogue) -> dict[str, Any]:
    """Return the terms of the package that was asked for, or of requests that name models, as far as they are known."""
    packages = {card.id: card.terms for card in catalogue.packages}
    lines = packages.get(record.package, ()) if record.package else catalogue.limits
    return {line.name: line.value for line in lines}


def _cell(value: Any, name: str, language: Language) -> str:
    if value is None:
        return ""
    return language("term.never") if value == NEVER else language.term_value(name, value)
