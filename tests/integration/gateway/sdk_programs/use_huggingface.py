# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A program for Hugging Face that takes the address of the endpoint from the environment."""

from __future__ import annotations

import os

from huggingface_hub import InferenceClient
from talk import talk

client = InferenceClient(base_url=os.environ["HF_INFERENCE_ENDPOINT"])


def ask(model: str) -> str:
    answer = client.chat_completion(model=model, messages=[{"role": "user", "content": "Say hello."}])
    return answer.choices[0].message.content or ""


def stream(model: str) -> str:
    chunks = client.chat_completion(model=model, messages=[{"role": "user", "content": "Say hello."}], stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


talk(ask, stream)
