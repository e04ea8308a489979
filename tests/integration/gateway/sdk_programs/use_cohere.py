# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A program for Cohere that knows nothing of any gateway."""

from __future__ import annotations

import cohere
from talk import talk

client = cohere.ClientV2()


def ask(model: str) -> str:
    answer = client.chat(model=model, messages=[{"role": "user", "content": "Say hello."}])
    return answer.message.content[0].text


def stream(model: str) -> str:
    events = client.chat_stream(model=model, messages=[{"role": "user", "content": "Say hello."}])
    return "".join(event.delta.message.content.text for event in events if event.type == "content-delta")


talk(ask, stream)
