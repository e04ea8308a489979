# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Notices in the formats of services, in which nothing that people write can be more than text. Posting: tests/integration."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import chat
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery.mail import Notice, Template, checked_texts, content_of
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = "sk-stoEN1JAQJQCe8fmu0i5L_wwnqvuGMVYok3FbyaTj8s"


def payload(form: str, *templates: Template, **more: str) -> str:
    notice = checked_texts(Notice(**{"kind": "review", "to": "", "id": "1", **more}), "the notice")
    return chat.encoded(chat.payload_of(notice, content_of(notice, templates), "abc", form)).decode()


@pytest.mark.parametrize("form", chat.FORMATS)
@settings(max_examples=50, deadline=None)
@given(words=st.text(max_size=200))
def test_no_text_breaks_out_and_no_key_gets_through(form: str, words: str) -> None:
    sent = payload(form, purpose=f"{words} {KEY}", reason=f"{words}\n{KEY}", note=f"see {KEY}")
    assert KEY not in sent
    assert json.loads(sent)
    if form == chat.SLACK:
        assert not re.search(r"[<>]", json.loads(sent)["text"])


@pytest.mark.parametrize("form", chat.FORMATS)
def test_a_template_may_not_show_a_key_either(form: str) -> None:
    assert KEY not in payload(form, Template("review", subject=f"{KEY}", text=f"Use {KEY} now\n"))


@pytest.mark.parametrize(
    "words", ["@all", "(@channel)", "ask @here, please", "[a](https://evil.example)", "**bold**", "# title", "<https://evil.example>", "`x`"]
)
def test_markdown_of_people_is_text_in_mattermost(words: str) -> None:
    text = json.loads(payload(chat.MATTERMOST, purpose=words))["text"]
    assert not re.search(rf"(?<!\\){re.escape(words)}", text)
    assert re.sub(r"\\(.)", r"\1", text).replace("\u200b", "").count(words) == 1


def test_an_address_stays_one_that_can_be_copied() -> None:
    assert "ada@example.org" in json.loads(payload(chat.MATTERMOST, email="ada@example.org"))["text"]


@pytest.mark.parametrize("form", chat.FORMATS)
def test_a_long_text_is_cut(form: str) -> None:
    assert len(payload(form, purpose="\n".join(["ü" * 900] * 100), reason="\n".join(["ü" * 900] * 100))) < 250_000
    shown = json.loads(payload(chat.TEAMS, purpose="\n".join(["u" * 900] * 100)))
    assert len(json.dumps(shown)) < 28_000
