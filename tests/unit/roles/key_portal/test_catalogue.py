# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The catalogue: merged as the requestor merges, with what cannot be asked for told apart."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.key_requests.catalogue_snapshot import snapshot_of
from ansible_collections.rhpds.litellm_virtual_keys.roles.key_portal.files.portal.catalogue import catalogue_of, merge_models, site_catalogue, usual_title


def ids(served: list[str], *site: str, **options: Any) -> list[str]:
    found, _warnings = site_catalogue([{"id": name, "title": f"{name} of the site"} for name in site], None, **options)
    return [card.id for card in catalogue_of(found, snapshot_of("2026-11-21T04:00:00Z", served, ["beta"])).models]


def test_models_of_the_config_replace_in_place_and_others_follow() -> None:
    site, _warnings = site_catalogue([{"id": "b", "title": "Mine"}, {"id": "d"}], None)
    assert [(card.id, card.title) for card in merge_models(["a", "b", "c"], site.models)] == [("a", "A"), ("b", "Mine"), ("c", "C"), ("d", "D")]


def test_what_only_the_gateway_knows_looks_as_in_the_requestor() -> None:
    (card,) = merge_models(["openai/gpt-4o-mini"], [])
    assert (card.title, card.icon, card.color) == ("Openai/Gpt 4O Mini", "mdi:robot", "#6366f1")
    assert card.description == "Model from LiteLLM: openai/gpt-4o-mini"
    assert usual_title("claude-3") == "Claude 3"


def test_the_same_id_twice_in_the_config_counts_once() -> None:
    assert ids(["a"], "b", "b") == ["a", "b"]


def test_without_the_gateways_models() -> None:
    assert ids(["a"], "b", with_served=False) == ["b"]
    assert [card.id for card in catalogue_of(site_catalogue([{"id": "b"}], None)[0], None).models] == ["b"]


def test_wildcards_and_groups_are_told_apart() -> None:
    assert ids(["a", "openai/*", "beta"], "ollama/*") == ["a"]
    site, _warnings = site_catalogue([{"id": "ollama/*"}], [{"id": "beta"}, {"id": "a"}])
    found = catalogue_of(site, snapshot_of("2026-11-21T04:00:00Z", ["a", "openai/*"], ["beta"]))
    assert (found.wildcards, found.groups, [model.id for model in found.featured]) == (("openai/*", "ollama/*"), ("beta",), ["a"])


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({"icon": "javascript:alert(1)"}, {"icon": "mdi:robot"}),
        ({"icon": '"><script>'}, {"icon": "mdi:robot"}),
        ({"icon": "simple-icons:openai"}, {"icon": "simple-icons:openai"}),
        ({"color": "red;background:url(//evil)"}, {"color": "#6366f1"}),
        ({"color": "#ABC"}, {"color": "#ABC"}),
        ({"color": "rebeccapurple"}, {"color": "rebeccapurple"}),
        ({"title": "a\nb\x1b[2J"}, {"title": "a b [2J"}),
        ({"title": 4}, {"title": "4"}),
        ({"description": "x" * 2000}, {"description": "x" * 999 + "…"}),
    ],
)
def test_what_cannot_be_shown_is_replaced(entry: dict[str, Any], shown: dict[str, str]) -> None:
    site, warnings = site_catalogue([{"id": "a", **entry}], None)
    assert {name: getattr(site.models[0], name) for name in shown} == shown
    assert bool(warnings) == (shown.get("icon") == "mdi:robot" or shown.get("color") == "#6366f1")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "x" * 3000, "https://exa mple.com"])
def test_a_link_that_is_no_page_is_not_shown(link: str) -> None:
    site, warnings = site_catalogue(None, [{"id": "a", "documentation_link": link}])
    assert site.featured[0].documentation_link == "" and len(warnings) == 1


def test_packages_look_like_something() -> None:
    packages = {"dev": {"models": ["a"]}, "big-lab": {"models": ["a"]}}
    looks = {"dev": {"title": "Development", "icon": "mdi:code-tags", "color": "#123456", "description": "For trying."}, "big-lab": {"icon": "<svg>"}}
    snapshot = snapshot_of("2026-11-21T04:00:00Z", ["a"], packages=packages, looks=looks)
    dev, lab = catalogue_of(site_catalogue(None, None)[0], snapshot).packages
    assert (dev.title, dev.icon, dev.color, dev.description) == ("Development", "mdi:code-tags", "#123456", "For trying.")
    assert (lab.title, lab.icon, lab.color) == ("Big Lab", "mdi:package-variant-closed", "#6366f1")
