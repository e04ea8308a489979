# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: the environment variables that vendors' SDKs read, for a key."""

from __future__ import annotations

DOCUMENTATION = r"""
name: client_env
short_description: The environment variables by which vendors' SDKs use a virtual key
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Turns the value of a key into the environment variables that the vendors' official SDKs read, so that programs
    written for a vendor call the gateway without a changed line.
  - The SDKs of OpenAI, Anthropic, Google (google-genai) and LiteLLM find the gateway by these variables alone, and so
    does Cohere's if the gateway has a Cohere key.
  - Current SDKs of Hugging Face and Vectara read the key but not the address. The program has to pass it on, for
    example the variable E(HF_INFERENCE_ENDPOINT) as C(base_url) of C(InferenceClient).
positional: url, vendors
options:
  _input:
    description: The value of the virtual key.
    type: str
    required: true
  url:
    description: The address at which users reach the gateway. A V(/v1) at its end does not matter.
    type: str
    required: true
  vendors:
    description:
      - The vendors to make variables for, among V(openai), V(anthropic), V(google), V(cohere), V(huggingface),
        V(anyscale), V(vectara) and V(litellm). All if not given.
    type: list
    elements: str
  paths:
    description:
      - The path after the gateway's address, by vendor, if the gateway has other routes. For example V(/vectara-v2) for
        V(vectara).
    type: dict
    default: {}
seealso:
  - plugin: rhpds.litellm_virtual_keys.to_env_file
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Run a program of the lab with its key
  ansible.builtin.command: python3 ask.py
  environment: "{{ litellm_virtual_key | rhpds.litellm_virtual_keys.client_env('https://litellm.example.com', ['openai']) }}"
  # OPENAI_API_KEY: sk-...
  # OPENAI_BASE_URL: https://litellm.example.com/v1
  changed_when: false
  no_log: true
"""

RETURN = r"""
_value:
  description: The variables, by name.
  type: dict
  sample:
    OPENAI_API_KEY: sk-...
    OPENAI_BASE_URL: https://litellm.example.com/v1
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.delivery.client_env import variables


def client_env(value: str, url: str, vendors: Sequence[str] | None = None, paths: Mapping[str, str] | None = None) -> dict[str, str]:
    if isinstance(vendors, str):
        raise AnsibleFilterError("client_env: vendors is a text; give a list, such as ['openai'].")
    try:
        return variables(str(url), str(value), vendors, paths)
    except ValueError as error:
        raise AnsibleFilterError(f"client_env: {error}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"client_env": client_env}
