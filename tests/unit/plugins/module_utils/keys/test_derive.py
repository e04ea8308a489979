# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import hashlib
import re

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from hypothesis import given
from hypothesis import strategies as st

SECRET = "golden-secret-0123456789"
TEXT = st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable())


def test_golden_values() -> None:
    """Changing the derivation breaks every existing key. These values were computed with openssl dgst -hmac."""
    assert derive.value(SECRET, "virtkey-abc12", 0) == "sk-9lGrRnz1cB2zSCBxlI1hy2X9RhVVxZxC6wZyfqRSbY0"
    assert derive.value(SECRET, "virtkey-abc12-user1", 7) == "sk-OXJrezIn4u3PWfoQScGdnospWMeY2shLVnD7s2z7F_4"


def test_the_token_is_the_hash_that_litellm_stores() -> None:
    assert derive.token("sk-1234") == hashlib.sha256(b"sk-1234").hexdigest()


@given(TEXT, TEXT, st.integers(0, 10**6))
def test_a_value_is_one_that_litellm_takes(secret: str, alias: str, generation: int) -> None:
    value = derive.value(secret, alias, generation)
    assert re.fullmatch(r"sk-[A-Za-z0-9_-]{43}", value)
    assert value == derive.value(secret, alias, generation)


@given(st.lists(st.tuples(TEXT, TEXT, st.integers(0, 50)), min_size=2, max_size=8, unique=True))
def test_secret_alias_and_generation_all_count(inputs: list[tuple[str, str, int]]) -> None:
    assert len({derive.value(*each) for each in inputs}) == len(inputs)


def test_alias_and_generation_do_not_run_together() -> None:
    assert derive.value(SECRET, "a1", 1) != derive.value(SECRET, "a", 11)
    assert derive.value(SECRET, "a-user1", 0) != derive.value(SECRET, "a-user", 10)


@pytest.mark.parametrize(("secret", "alias", "generation"), [("", "a", 0), ("s", "", 0), ("s", "a", -1)])
def test_refused(secret: str, alias: str, generation: int) -> None:
    with pytest.raises(ValueError, match="is empty|no key value can be derived") as caught:
        derive.value(secret, alias, generation)
    assert SECRET not in str(caught.value)
