# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A chat through OpenAI's SDK, whichever vendor the client is for."""

from __future__ import annotations

from openai import OpenAI


class Chat:
    def __init__(self, client: OpenAI) -> None:
        self.client = client

    def ask(self, model: str) -> str:
        answer = self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Say hello."}])
        return answer.choices[0].message.content or ""

    def stream(self, model: str) -> str:
        chunks = self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Say hello."}], stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
