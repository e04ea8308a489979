# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import errors
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(max_size=40), st.text(max_size=40), st.text(min_size=1), st.integers(0, 9))
def test_no_key_survives(before: str, after: str, alias: str, generation: int) -> None:
    value = derive.value("a secret of some length", alias, generation)
    assert value[3:] not in errors.redact(f"{before} {value} {after}")


def test_litellms_short_form_of_a_key_is_removed_too() -> None:
    assert "abcd" not in errors.redact("Received API Key = sk-...abcd, Key Hash")


@pytest.mark.parametrize("text", ["virtkey-desk-lamp", "disk-space", "the task-force", "risk-averse user"])
def test_words_are_not_keys(text: str) -> None:
    assert errors.redact(text) == text


def test_a_message_stays_short() -> None:
    assert len(errors.redact("x" * 5000)) < 700


def test_errors_redact_themselves() -> None:
    error = errors.Rejected("no: sk-aaaaaaaaaaaaaaaaaaaa", status=400, detail="sk-bbbbbbbbbbbbbbbbbbbb")
    assert "aaaa" not in str(error) and "bbbb" not in error.detail and error.status == 400


def test_codes_are_distinct() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GatewayError)]
    kinds.remove(errors.Refused)  # each has a code of its own
    assert len({kind.code for kind in kinds}) == len(kinds) > 10
