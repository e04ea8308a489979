# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A program for Anthropic that knows nothing of any gateway."""

from __future__ import annotations

from anthropic import Anthropic
from talk import talk

client = Anthropic()


def ask(model: str) -> str:
    answer = client.messages.create(model=model, max_tokens=20, messages=[{"role": "user", "content": "Say hello."}])
    return "".join(block.text for block in answer.content if block.type == "text")


def stream(model: str) -> str:
    with client.messages.stream(model=model, max_tokens=20, messages=[{"role": "user", "content": "Say hello."}]) as events:
        return "".join(events.text_stream)


talk(ask, stream)
