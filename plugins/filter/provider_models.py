# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Filter: from the names of a provider's models to entries for the module models."""

from __future__ import annotations

DOCUMENTATION = r"""
name: provider_models
short_description: A provider's models as entries for the module models
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Makes an entry for the option O(rhpds.litellm_virtual_keys.models#module:models) from each model's name. The gateway serves the model
    under the name that is given here. Upstream it is the same name without the provider in front, as LiteLLM puts that there itself.
options:
  _input:
    description: The names of the models, as a list or separated by commas.
    type: list
    elements: str
    required: true
  provider:
    description: The provider, as LiteLLM names it.
    type: str
    required: true
  credential:
    description: The credential that holds the provider's key.
    type: str
    required: true
seealso:
  - module: rhpds.litellm_virtual_keys.models
"""

EXAMPLES = r"""
- name: Serve two models of OpenAI
  rhpds.litellm_virtual_keys.models:
    models: "{{ 'gpt-4o,gpt-4o-mini' | rhpds.litellm_virtual_keys.provider_models('openai', 'openai') }}"
"""

RETURN = r"""
_value:
  description: An entry for each model, with C(name), C(provider), C(upstream) and C(credential).
  type: list
  elements: dict
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def provider_models(names: str | Sequence[str], provider: str, credential: str) -> list[dict[str, str]]:
    """Return an entry of the option `models` for each of `names`. Raises AnsibleFilterError for names that are neither a text nor a list."""
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    if not isinstance(names, Sequence):
        raise AnsibleFilterError("provider_models: the models are neither a list nor a text; give their names, separated by commas.")
    return [{"name": name, "provider": provider, "upstream": name.removeprefix(f"{provider}/"), "credential": credential} for name in names]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"provider_models": provider_models}
