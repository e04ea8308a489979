# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import names
from hypothesis import given
from hypothesis import strategies as st

GOOD = ("abc12", "a", "GUID_1.x-y", "0", "a" * 128)
BAD = (
    "",
    "a/b",
    "..",
    "a..b",
    "../etc",
    "a b",
    " a",
    "a ",
    "a\n",
    "a\nb",
    "a\tb",
    "a\x00b",
    "a\x7f",
    "a\u2028b",
    'a"b',
    "a'b",
    "a`b",
    "a$(b)",
    "a;b",
    "a{{ b }}",
    "-a",
    ".a",
    "_a",
    "ä",
    "ａ",
    "a@b",
    "a%2fb",
    "a" * 129,
)


@pytest.mark.parametrize("guid", GOOD)
def test_good_guids(guid: str) -> None:
    assert names.check_guid(guid) == guid


@pytest.mark.parametrize("guid", BAD)
def test_bad_guids_are_refused_in_one_sentence(guid: str) -> None:
    with pytest.raises(ValueError, match="^guid ") as caught:
        names.check_guid(guid)
    message = str(caught.value)
    assert message.endswith(".")
    assert message.isprintable(), "a control character must not reach the terminal"


@pytest.mark.parametrize("user", BAD)
def test_users_follow_the_rule_of_guids(user: str) -> None:
    with pytest.raises(ValueError, match="^user "):
        names.check_user(user)


@pytest.mark.parametrize("alias", ["virtkey-abc", "user-a@b.example-gpt-4o", "team/blue", "a:b+c", "a" * 255])
def test_good_aliases(alias: str) -> None:
    assert names.check_alias(alias) == alias


@pytest.mark.parametrize("alias", ["", "../x", "a/..", "a b", "a\n", "a\x00", "/a", "@a", "a" * 256, 'a"', "{{ a }}"])
def test_bad_aliases(alias: str) -> None:
    with pytest.raises(ValueError, match="^alias "):
        names.check_alias(alias)


def test_aliases_of_the_contract() -> None:
    assert names.lab_alias("abc12") == "virtkey-abc12"
    assert names.user_alias("virtkey-abc12", None) == "virtkey-abc12"
    assert names.user_alias("virtkey-abc12", "user3") == "virtkey-abc12-user3"


def test_a_retired_alias_belongs_to_no_other_key() -> None:
    one, other = (names.retired_alias("virtkey-abc12", digit * 64) for digit in "ab")
    assert one != other
    assert names.without_retired_suffix(one) == "virtkey-abc12"
    for alias in ("virtkey-abc12", f"{one}-user1", f"{one}0", "virtkey-abc12.retired-mine"):
        assert names.without_retired_suffix(alias) == alias == names.check_alias(alias)
    assert names.user_of_legacy_alias(one, "virtkey-abc12", "user") is None


@pytest.mark.parametrize("check", [names.check_alias, names.check_guid, names.check_user])
def test_nobody_asks_for_a_key_with_the_alias_of_a_former_value(check: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match=r"is how a rotation names a former value of 'abc'; give 'abc', or .*\.$"):
        check("abc.retired-0123456789ab")


@pytest.mark.parametrize(
    ("alias", "user"),
    [
        ("virtkey-abc", ""),
        ("virtkey-abc-user1", "user1"),
        ("virtkey-abc-user20", "user20"),
        ("virtkey-abc-user", None),
        ("virtkey-abc-user1-user2", None),
        ("virtkey-abc-admin1", None),
        ("virtkey-abcd", None),
        ("virtkey-abc-user1\n", None),
        ("xvirtkey-abc", None),
        ("virtkey-aXc-user1", None),
    ],
)
def test_users_of_legacy_aliases(alias: str, user: str | None) -> None:
    assert names.user_of_legacy_alias(alias, "virtkey-abc", "user") == user
    if alias == "virtkey-aXc-user1":
        assert names.user_of_legacy_alias(alias, "virtkey-a.c", "user") is None, "a dot is not a wildcard"


NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)


@given(NAME, NAME, st.integers(0, 500))
def test_a_legacy_user_is_found_again(guid: str, base: str, number: int) -> None:
    lab = names.lab_alias(guid)
    assert names.user_of_legacy_alias(names.user_alias(lab, f"{base}{number}"), lab, base) == f"{base}{number}"


def test_labs_by_alias() -> None:
    assert names.lab_of_alias("virtkey-a-b-user12") == ("virtkey-a-b", "user12")
    assert names.lab_of_alias("virtkey-a-b") == ("virtkey-a-b", "")
    assert names.lab_of_alias("virtkey-user1") == ("virtkey-user1", ""), "a lab whose guid looks like a user"
    assert names.lab_of_alias("virtkey-x-s1", "s") == ("virtkey-x", "s1")
    assert names.lab_of_alias("a-user1") == ("", "")


@pytest.mark.parametrize("tree", ["a\0", {"a": ["\ud800"]}, {"\udfff": 1}, [["\0"]]])
def test_text_that_no_database_stores_is_refused(tree: Any) -> None:
    with pytest.raises(ValueError, match="^metadata holds a character that LiteLLM's database cannot store"):
        names.check_storable(tree, "metadata")


@pytest.mark.parametrize("tree", ["", "\U0001f600", {"a": [1, None, True, "\n"]}, None, 7])
def test_other_text_is_not(tree: Any) -> None:
    names.check_storable(tree, "metadata")


@pytest.mark.parametrize(
    ("alias", "guid", "contradicts"),
    [
        ("virtkey-lab1-user1", "lab1", False),
        ("virtkey-lab10-user1", "lab1", True),
        ("virtkey-xlab1", "lab1", True),
        ("virtkey-a-lab1", "lab1", False),
        ("virtkey-a.b-user1", "a.b", False),
        ("virtkey-axb", "a.b", True),
        ("class-lab10", "lab1", False),
    ],
)
def test_an_alias_was_made_for_a_guid(alias: str, guid: str, contradicts: bool) -> None:
    assert names.contradicts_guid(alias, guid) is contradicts
