# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A program for Anyscale, or for any other vendor with OpenAI's protocol, that uses OpenAI's SDK."""

from __future__ import annotations

import os

from openai import OpenAI
from openai_chat import Chat
from talk import talk

chat = Chat(OpenAI(base_url=os.environ["ANYSCALE_BASE_URL"], api_key=os.environ["ANYSCALE_API_KEY"]))
talk(chat.ask, chat.stream)
