# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The catalogue: the models of config.yaml, what the gateway serves, and the packages. Pure.

Both are merged as the LLM Key Requestor merges them: the gateway's models come first, with a title made from the name; a
model of config.yaml replaces the one with the same id in its place, others follow. Names that stand for several models
(wildcards, access groups) are told apart, because nobody can ask for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.address import is_address
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.printable import printable, quoted
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import CatalogueSnapshot
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.record import LONGEST_MODEL

from .wording import TermLine, terms_in_words

USUAL_ICON, USUAL_COLOR = "mdi:robot", "#6366f1"
PACKAGE_ICON = "mdi:package-variant-closed"
LONGEST_TITLE, LONGEST_DESCRIPTION = 120, 1_000

_ICON = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*:[a-z0-9]+(?:-[a-z0-9]+)*")
_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|[a-zA-Z]{3,20}")


@dataclass(frozen=True)
class ModelCard:
    """A model that can be asked for, as a card in the catalogue."""

    id: str
    title: str
    icon: str = USUAL_ICON
    color: str = USUAL_COLOR
    description: str = ""


@dataclass(frozen=True)
class FeaturedModel:
    """A model that is shown above the others."""

    id: str
    title: str
    subtitle: str = ""
    description: str = ""
    documentation_link: str = ""
    icon: str = USUAL_ICON
    color: str = USUAL_COLOR


@dataclass(frozen=True)
class PackageCard:
    """A package that can be asked for, with its terms in words."""

    id: str
    title: str
    icon: str
    color: str
    description: str
    terms: tuple[TermLine, ...]


@dataclass(frozen=True)
class SiteCatalogue:
    """What config.yaml says about the catalogue."""

    models: tuple[ModelCard, ...] = ()
    featured: tuple[FeaturedModel, ...] = ()
    with_served: bool = True


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Everything that the portal shows to choose from. `limits` are the terms of requests that name models.

    Each is equal to itself only, so that what is made of it can be kept as long as it is.
    """

    models: tuple[ModelCard, ...]
    featured: tuple[FeaturedModel, ...]
    packages: tuple[PackageCard, ...]
    wildcards: tuple[str, ...]
    groups: tuple[str, ...]
    limits: tuple[TermLine, ...]
    at: str = ""
    """When the gateway said what it serves; empty if it never did."""


# ------------------------------------------------------------------------------------------------------- config.yaml
def site_catalogue(models: Any, featured: Any, *, with_served: bool = True) -> tuple[SiteCatalogue, list[str]]:
    """Return the catalogue in config.yaml, and warnings about what was left out or replaced. Raises ValueError for what cannot be meant."""
    warnings: list[str] = []
    cards = [_card(entry, f"models[{number}]", warnings) for number, entry in enumerate(_entries(models, "models"))]
    shown = [_featured(entry, f"featured_models[{number}]", warnings) for number, entry in enumerate(_entries(featured, "featured_models"))]
    return SiteCatalogue(tuple(cards), tuple(shown), with_served), warnings


def _entries(value: Any, name: str) -> list[Mapping[Any, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise ValueError(f"{name} in config.yaml is not a list of mappings; give a list of models, each with an id and a title.")
    return value


def _card(entry: Mapping[Any, Any], name: str, warnings: list[str]) -> ModelCard:
    model = _text(entry, "id", name, LONGEST_MODEL)
    if not model:
        raise ValueError(f"{name} in config.yaml has no id; give the name under which LiteLLM serves the model.")
    return ModelCard(
        model,
        _text(entry, "title", name, LONGEST_TITLE) or usual_title(model),
        _matching(entry, "icon", name, _ICON, USUAL_ICON, warnings),
        _matching(entry, "color", name, _COLOR, USUAL_COLOR, warnings),
        _text(entry, "description", name, LONGEST_DESCRIPTION),
    )


def _featured(entry: Mapping[Any, Any], name: str, warnings: list[str]) -> FeaturedModel:
    card = _card(entry, name, warnings)
    link = _text(entry, "documentation_link", name, 2_000)
    if link and not is_address(link):
        warnings.append(f"{name}.documentation_link in config.yaml is {quoted(link)}, which is not the address of a page; it is not shown.")
        link = ""
    return FeaturedModel(card.id, card.title, _text(entry, "subtitle", name, LONGEST_TITLE), card.description, link, card.icon, card.color)


def _text(entry: Mapping[Any, Any], field: str, name: str, longest: int) -> str:
    value = entry.get(field)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{name}.{field} in config.yaml is not a text.")
    text = printable(str(value), longest)
    if field == "id" and text != str(value):
        raise ValueError(f"{name}.id in config.yaml is {quoted(value)}, which is not the name of a model; give the name under which LiteLLM serves it.")
    return text


def _matching(entry: Mapping[Any, Any], field: str, name: str, pattern: re.Pattern[str], usual: str, warnings: list[str]) -> str:
    text = _text(entry, field, name, 100)
    if text and not pattern.fullmatch(text):
        warnings.append(f"{name}.{field} in config.yaml is {quoted(text)}, which cannot be shown; {usual} is shown instead.")
        return usual
    return text or usual


# ------------------------------------------------------------------------------------------------------------ merging
def usual_title(model: str) -> str:
    """Return the title of a model that only the gateway knows, as the requestor makes it."""
    return model.replace("-", " ").title()


def merge_models(served: Sequence[str], site: Sequence[ModelCard]) -> list[ModelCard]:
    """Return the gateway's models, then those of config.yaml. Among the same ids the last one counts, in the place of the first."""
    merged = {name: ModelCard(name, usual_title(name), description=f"Model from LiteLLM: {name}") for name in served}
    merged.update({card.id: card for card in site})
    return list(merged.values())


def catalogue_of(site: SiteCatalogue, snapshot: CatalogueSnapshot | None) -> Catalogue:
    """Return the catalogue of a site. Without a snapshot nothing is known of the gateway and of packages."""
    seen = snapshot or CatalogueSnapshot()
    cards = merge_models(seen.models if site.with_served else (), site.models)
    several = {*seen.groups, *(card.id for card in cards if "*" in card.id)}
    served = seen.wildcards if site.with_served else ()
    return Catalogue(
        models=tuple(card for card in cards if card.id not in several),
        featured=tuple(model for model in site.featured if model.id not in several and "*" not in model.id),
        packages=tuple(_package_card(package) for package in seen.packages),
        wildcards=tuple(dict.fromkeys([*served, *(card.id for card in cards if "*" in card.id)])),
        groups=seen.groups if site.with_served else (),
        limits=tuple(terms_in_words({**seen.limits})),
        at=seen.at,
    )


def _package_card(package: Any) -> PackageCard:
    card = PackageCard(
        package.name,
        package.title or usual_title(package.name),
        package.icon if _ICON.fullmatch(package.icon) else PACKAGE_ICON,
        package.color if _COLOR.fullmatch(package.color) else USUAL_COLOR,
        package.description,
        (),
    )
    return replace(card, terms=tuple(terms_in_words(package.terms)))
