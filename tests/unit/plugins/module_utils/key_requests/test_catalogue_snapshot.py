# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What the worker publishes for the portal, and what is read of it when it holds anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.base import LARGEST_PUBLISHED
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import (
    CatalogueSnapshot,
    OfferedPackage,
    publish_catalogue,
    publish_problem,
    published_catalogue,
    snapshot_of,
)
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.directory import DirectoryStore
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.lease import published_lease, published_text

AT = "2026-11-21T04:00:00Z"
DEV = {"models": ["granite"], "duration": "30d", "max_budget": 5}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(str(tmp_path / "requests"))


def test_it_is_read_as_it_was_published(store: DirectoryStore) -> None:
    looks = {"dev": {"title": "Development", "icon": "mdi:code-tags", "color": "#123456", "description": "For trying.", "max_budget": 5}}
    snapshot = snapshot_of(AT, ["b", "a", "openai/*", "b"], ["beta"], packages={"dev": DEV}, looks=looks, limits={"max_budget": 10}, lifetime="30d")
    assert (snapshot.models, snapshot.wildcards, snapshot.groups) == (("b", "a"), ("openai/*",), ("beta",))
    assert snapshot.packages == (OfferedPackage("dev", "Development", "mdi:code-tags", "#123456", "For trying.", DEV),)
    publish_catalogue(store, snapshot)
    assert published_catalogue(store) == snapshot
    assert store.listing().records == () and store.listing().set_aside == ()


def test_without_one_there_is_none(store: DirectoryStore) -> None:
    assert published_catalogue(store) is None
    publish_problem(store, "the gateway does not answer")
    assert published_catalogue(store) == CatalogueSnapshot(problem="the gateway does not answer")


def test_a_problem_keeps_what_was_known(store: DirectoryStore) -> None:
    publish_catalogue(store, snapshot_of(AT, ["a"]))
    publish_problem(store, "down, with sk-" + "e" * 40)
    assert published_catalogue(store) == CatalogueSnapshot(at=AT, models=("a",), problem="down, with sk-***")
    publish_catalogue(store, snapshot_of(AT, ["b"]))
    assert published_catalogue(store) == CatalogueSnapshot(at=AT, models=("b",))


def test_names_that_no_request_could_hold_are_left_out() -> None:
    hostile = ["", "a,b", " a", "a\nb", "\u202ea", "x" * 257, "sk-" + "f" * 40, "all-proxy-models", "\ud800", "good"]
    assert snapshot_of(AT, hostile, hostile).models == ("good",)
    assert snapshot_of(AT, hostile, hostile).groups == ("good",)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"at": 5, "models": "granite", "wildcards": {}, "groups": None, "packages": [], "limits": [], "lifetime": "soon", "problem": {}},
        {"models": [1, None, {}, ["a"]], "packages": {"dev": None, "../x": {"terms": {}}, "bad": {"terms": {"budget": 5}}, "worse": {"terms": [5]}}},
        {"limits": {"max_budget": "much"}, "at": "9999-99-99"},
    ],
)
def test_what_cannot_be_read_is_left_out(store: DirectoryStore, content: dict[str, Any]) -> None:
    store.publish("catalogue", content)
    assert published_catalogue(store) == CatalogueSnapshot()


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "[" * 100_000, '{"a": "' + "x" * LARGEST_PUBLISHED + '"}'])
def test_a_file_that_is_not_one(store: DirectoryStore, text: str) -> None:
    store.publish("catalogue", {})
    (store.directory / ".published-catalogue").write_text(text)
    assert published_catalogue(store) is None


def test_it_is_private_and_bounded(store: DirectoryStore) -> None:
    publish_catalogue(store, snapshot_of(AT, ["a"]))
    assert (store.directory / ".published-catalogue").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="at most"):
        store.publish("catalogue", {"a": "x" * LARGEST_PUBLISHED})
    for name in ("", "../x", "A", "a.json", "x" * 41):
        with pytest.raises(ValueError, match="not a name"):
            store.publish(name, {})
        with pytest.raises(ValueError, match="not a name"):
            store.published(name)


def test_a_catalogue_that_is_too_large_is_cut(store: DirectoryStore) -> None:
    names = [f"provider/model-{number:04}-{'ü' * 200}" for number in range(5_000)]
    packages = {f"package-{number}": {"models": names[:100]} for number in range(50)}
    publish_catalogue(store, snapshot_of(AT, names, packages=packages))
    found = published_catalogue(store)
    assert found is not None and found.models == tuple(names[: len(found.models)]) and len(found.packages) > 0
    assert len((store.directory / ".published-catalogue").read_bytes()) <= LARGEST_PUBLISHED


def test_check_mode_publishes_nothing(tmp_path: Path) -> None:
    DirectoryStore(str(tmp_path / "requests"), check_mode=True).publish("catalogue", {})
    assert not (tmp_path / "requests").exists()


def test_a_lease_that_publishes() -> None:
    assert published_text(published_lease("catalogue", b"{}")) == b"{}"
    assert [published_text({"metadata": metadata}) for metadata in ({}, {"annotations": None}, {"annotations": {"other": "{}"}})] == [None] * 3
