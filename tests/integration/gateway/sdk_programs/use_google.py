# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A program for Google's Gemini that knows nothing of any gateway."""

from __future__ import annotations

from google import genai
from talk import talk

client = genai.Client()


def ask(model: str) -> str:
    return client.models.generate_content(model=model, contents="Say hello.").text or ""


def stream(model: str) -> str:
    return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(model=model, contents="Say hello."))


talk(ask, stream)
