# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common.email_address import ascii_domain, parse_address, parse_mailbox
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("user@example.com", "user@example.com"),
        ("First.Last+tag@Sub.EXAMPLE.com", "First.Last+tag@sub.example.com"),
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        ("user@BÜCHER.Example", "user@xn--bcher-kva.example"),
        ("user@ΜΠΕΛ.example", "user@xn--qxambq.example"),
        ("{{7*7}}@example.com", "{{7*7}}@example.com"),  # a legal local part; it stays text
    ],
)
def test_addresses_in_one_form(text: str, form: str) -> None:
    assert str(parse_address(text)) == form


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        17,
        ["a@b.de"],
        "user",
        "@example.com",
        "user@",
        "user@localhost",
        "user@10.0.0.1",
        "user@[10.0.0.1]",
        "a@b@example.com",
        '"a@evil.com"@example.com',
        "user@example.com\n",
        "user@example.com\r\nBcc: all@example.com",
        "user\x00@example.com",
        "\x1b[31muser@example.com",
        "<script>@example.com",
        "user@exam ple.com",
        "user@-example.com",
        "user@example..com",
        ".user@example.com",
        "us..er@example.com",
        "üser@example.com",
        "user@example.com, other@example.com",
        "u" * 65 + "@example.com",
        "user@" + "a" * 64 + ".com",
        "user@" + ".".join(["abcdefg"] * 40) + ".com",
        "x" * 10_000 + "@example.com",
        "user@exam\u212aple.com",  # the Kelvin sign, which str.lower() makes a k
        "user@ex\u0130mple.com",  # a capital i with a dot, which str.lower() makes two letters
        "user@ｅxample.com",  # a full-width e
        "user@example\u3002com",  # an ideographic full stop
        "user@exa\u200bmple.com",  # a zero-width space
    ],
)
def test_invalid_addresses(text: object) -> None:
    with pytest.raises(ValueError, match="^email is") as raised:
        parse_address(text)
    words = str(raised.value)
    assert len(words) < 400
    assert words.isprintable()


@pytest.mark.parametrize("domain", ["exаmple.com", "examplе.com", "ехample.com", "exåmple.com", "examp1e.com"])
def test_a_look_alike_is_another_domain(domain: str) -> None:
    assert ascii_domain(domain) != "example.com"


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_clear_error(text: str) -> None:
    try:
        form = str(parse_address(text))
    except ValueError as error:
        form = str(error)
    else:
        assert form.isascii()
        assert str(parse_address(form)) == form
    assert form.isprintable()


def test_tags_and_case_are_one_person() -> None:
    assert parse_address("Alice+1@Example.com").person == parse_address("alice+2@example.com").person == "alice@example.com"
    assert parse_address("alice@example.com").person != parse_address("alicia@example.com").person


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "Keys",
        "Keys <>",
        "Keys <keys@example.com> and more",
        "Keys <keys@example.com",
        "Keys <eve@example.org> <keys@example.com>",
        "boss@example.com <keys@example.com>",
        "=?utf-8?q?boss?= <keys@example.com>",
        "Keys\r\nBcc: eve@example.org <keys@example.com>",
        "Keys \u202e <keys@example.com>",
        'The "key" office <keys@example.com>',
        "K" * 101 + " <keys@example.com>",
    ],
)
def test_invalid_mailboxes(text: object) -> None:
    with pytest.raises(ValueError, match="^sender is") as raised:
        parse_mailbox(text, "sender")
    assert str(raised.value).isprintable()
