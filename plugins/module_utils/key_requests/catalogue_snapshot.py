# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What can be asked for, as the worker last saw it, for pages that show a catalogue. Pure, apart from the store that keeps it.

The portal holds no key of the gateway, so it cannot ask which models there are. The worker asks, and publishes the answer in
the store: `publish_catalogue` writes it, `published_catalogue` reads it. It is a JSON object:

    {"format": 1, "at": "2026-11-21T04:00:00Z", "problem": "",
     "models": ["granite"], "wildcards": ["openai/*"], "groups": ["beta"],
     "packages": {"dev": {"title": "Development", "icon": "mdi:code-tags", "color": "#ff0000", "description": "...", "terms": {...}}},
     "limits": {...}, "lifetime": "30d"}

`at` is when the gateway answered, `problem` why it did not answer since. Models are in the gateway's order. `terms` and `limits`
are terms (see `terms`), the most that a request gets without a person's leave.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..common import durations
from ..common.names import MODEL_WORDS
from .base import LARGEST_PUBLISHED, Store
from .record import LONGEST_MODEL, PACKAGE
from .terms import Terms, check_terms
from .text import clip, is_plain, looks_like_key

NAME = "catalogue"
SNAPSHOT_FORMAT = 1
MOST_NAMES_SHOWN = 3_000
MOST_PACKAGES = 500
LONGEST_LOOK = 300
LOOKS = ("title", "icon", "color", "description")
"""How a package is shown, beside its limits, in the words of the requestor's catalogue of models."""


@dataclass(frozen=True)
class OfferedPackage:
    """A package: what it is called, how it is shown, and its terms."""

    name: str
    title: str = ""
    icon: str = ""
    color: str = ""
    description: str = ""
    terms: Terms = field(default_factory=dict)


@dataclass(frozen=True)
class CatalogueSnapshot:
    """What can be asked for. Names that no request could hold are left out."""

    at: str = ""
    models: tuple[str, ...] = ()
    wildcards: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    packages: tuple[OfferedPackage, ...] = ()
    limits: Terms = field(default_factory=dict)
    lifetime: str = ""
    problem: str = ""


def snapshot_of(
    at: str,
    served: Iterable[str],
    groups: Iterable[str] = (),
    *,
    packages: Mapping[str, Terms] | None = None,
    looks: Mapping[str, Any] | None = None,
    limits: Terms | None = None,
    lifetime: str = "",
) -> CatalogueSnapshot:
    """Return the snapshot of a gateway that answered at that time.

    `served` are the names of models and wildcards, `groups` those of access groups. `packages` holds the terms of each package,
    `looks` the packages as the admin wrote them, with their titles and descriptions.
    """
    names, written = list(served), looks or {}
    offered = [_package(name, {**_looks_of(written.get(name)), "terms": terms}) for name, terms in (packages or {}).items()]
    return CatalogueSnapshot(
        at=at,
        models=_names(name for name in names if "*" not in name),
        wildcards=_names(name for name in names if "*" in name),
        groups=_names(groups),
        packages=tuple(package for package in offered if package is not None)[:MOST_PACKAGES],
        limits=dict(limits or {}),
        lifetime=lifetime,
    )


def publish_catalogue(store: Store, snapshot: CatalogueSnapshot) -> None:
    """Publish the snapshot in the store, with as many names and packages as there is room for. Raises StoreError."""
    most = MOST_NAMES_SHOWN
    while len(json.dumps(_document(snapshot, most))) > LARGEST_PUBLISHED:
        most //= 2
    store.publish(NAME, _document(snapshot, most))


def _document(snapshot: CatalogueSnapshot, most: int) -> dict[str, Any]:
    """Return the snapshot as it is published, with at most so many names of a kind, and packages."""
    packages = {package.name: {**{name: getattr(package, name) for name in LOOKS}, "terms": dict(package.terms)} for package in snapshot.packages[:most]}
    fields = {name: list(getattr(snapshot, name)[:most]) for name in ("models", "wildcards", "groups")}
    texts = {name: getattr(snapshot, name) for name in ("at", "lifetime", "problem")}
    return {"format": SNAPSHOT_FORMAT, **texts, **fields, "packages": packages, "limits": dict(snapshot.limits)}


def publish_problem(store: Store, problem: str) -> None:
    """Note in the published snapshot why the gateway did not answer. What it answered before stays. Raises StoreError."""
    publish_catalogue(store, replace(published_catalogue(store) or CatalogueSnapshot(), problem=clip(problem, LONGEST_LOOK)))


def published_catalogue(store: Store) -> CatalogueSnapshot | None:
    """Return the published snapshot, or None if there is none. What cannot be read in it is left out. Raises StoreError."""
    content = store.published(NAME)
    if content is None:
        return None
    at, lifetime, packages = content.get("at"), content.get("lifetime"), content.get("packages")
    found = [_package(name, entry) for name, entry in packages.items()] if isinstance(packages, dict) else []
    return CatalogueSnapshot(
        at=at if isinstance(at, str) and durations.is_time(at) else "",
        models=_names(name for name in _list(content.get("models")) if "*" not in str(name)),
        wildcards=_names(_list(content.get("wildcards"))),
        groups=_names(_list(content.get("groups"))),
        packages=tuple(package for package in found if package is not None)[:MOST_PACKAGES],
        limits=_terms(content.get("limits")) or {},
        lifetime=lifetime if isinstance(lifetime, str) and _is_duration(lifetime) else "",
        problem=_shown(content.get("problem")),
    )


def _package(name: object, entry: object) -> OfferedPackage | None:
    terms = _terms(entry.get("terms")) if isinstance(entry, Mapping) else None
    if not isinstance(name, str) or not PACKAGE.fullmatch(name) or terms is None or not isinstance(entry, Mapping):
        return None
    return OfferedPackage(name, **{look: _shown(entry.get(look)) for look in LOOKS}, terms=terms)


def _looks_of(written: object) -> dict[str, str]:
    return {look: _shown(written.get(look)) for look in LOOKS} if isinstance(written, Mapping) else {}


def _shown(value: object) -> str:
    return clip(value, LONGEST_LOOK) if isinstance(value, str) else ""


def _terms(value: object) -> dict[str, Any] | None:
    try:
        terms = {str(name): entry for name, entry in value.items()} if isinstance(value, Mapping) else None
        check_terms(terms or {})
    except ValueError:
        return None
    return terms


def _is_duration(text: str) -> bool:
    try:
        durations.seconds(text)
    except ValueError:
        return False
    return True


def _names(names: Iterable[object]) -> tuple[str, ...]:
    """Return the names that can be shown and asked for, each once."""
    kept = (name for name in names if isinstance(name, str) and 0 < len(name) <= LONGEST_MODEL and _is_name(name))
    return tuple(dict.fromkeys(kept))[:MOST_NAMES_SHOWN]


def _is_name(name: str) -> bool:
    return is_plain(name) and name == name.strip() and "," not in name and name not in MODEL_WORDS and not looks_like_key(name)


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
