# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What somebody can choose on the page that asks for a key: packages and models as cards, found by words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ..catalogue import Catalogue, FeaturedModel, ModelCard, PackageCard
from ..wording import TermLine

MOST_SHOWN = 24
"""Cards on the page. The others are found by searching."""
KEPT = 2
"""Catalogues of which the cards are kept."""
PACKAGE, MODEL, OTHER = "package", "model", "other"


@dataclass(frozen=True)
class Choice:
    """A card. `value` is what the form sends for it, such as `model:granite`; `name` is the model or the package itself."""

    kind: str
    name: str
    title: str
    icon: str
    color: str
    subtitle: str = ""
    description: str = ""
    link: str = ""
    featured: bool = False
    terms: tuple[TermLine, ...] = ()

    @property
    def value(self) -> str:
        return f"{self.kind}:{self.name}"

    def has(self, words: Sequence[str]) -> bool:
        text = f"{self.name}\n{self.title}\n{self.subtitle}\n{self.description}".casefold()
        return all(word in text for word in words)


@dataclass(frozen=True)
class Choices:
    """The cards that are shown, and how many there are beside them."""

    shown: tuple[Choice, ...]
    more: int

    @property
    def featured(self) -> list[Choice]:
        return [choice for choice in self.shown if choice.featured]

    def of(self, kind: str) -> list[Choice]:
        """Return the cards of a kind that are not featured."""
        return [choice for choice in self.shown if choice.kind == kind and not choice.featured]


@lru_cache(maxsize=KEPT)
def all_choices(catalogue: Catalogue) -> tuple[Choice, ...]:
    """Return every card: featured models, packages, models that config.yaml describes, other models."""
    featured = [_featured(model) for model in catalogue.featured]
    names = {choice.name for choice in featured}
    models = [_model(card) for card in catalogue.models if card.id not in names]
    models.sort(key=lambda choice: not choice.description)
    return (*featured, *(_package(card) for card in catalogue.packages), *models)


def find_choices(catalogue: Catalogue, search: str, chosen: str) -> Choices:
    """Return the cards in which all words of `search` occur. The chosen one is always among them."""
    words = search.casefold().split()
    every = all_choices(catalogue)
    kept = [choice for choice in every if choice.value == chosen or choice.has(words)]
    shown = kept[:MOST_SHOWN]
    if not any(choice.value == chosen for choice in shown):
        shown = [*shown, *(choice for choice in kept[MOST_SHOWN:] if choice.value == chosen)]
    return Choices(tuple(shown), len(kept) - len(shown))


def find_choice(catalogue: Catalogue, value: str) -> Choice | None:
    """Return the card with this value."""
    return next((choice for choice in all_choices(catalogue) if choice.value == value), None)


@lru_cache(maxsize=KEPT)
def titles(catalogue: Catalogue) -> Mapping[str, Choice]:
    """Return the cards by the names of models and packages, to show requests with."""
    return {choice.value: replace(choice, terms=()) for choice in all_choices(catalogue)}


def _package(card: PackageCard) -> Choice:
    return Choice(PACKAGE, card.id, card.title, card.icon, card.color, description=card.description, terms=card.terms)


def _featured(model: FeaturedModel) -> Choice:
    return Choice(MODEL, model.id, model.title, model.icon, model.color, model.subtitle, model.description, model.documentation_link, featured=True)


def _model(card: ModelCard) -> Choice:
    usual = card.description == f"Model from LiteLLM: {card.id}"
    return Choice(MODEL, card.id, card.title, card.icon, card.color, description="" if usual else card.description)
