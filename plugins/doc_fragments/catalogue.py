# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Options that describe a model or a credential of the gateway's catalogue, alone or in a list."""

from __future__ import annotations

from textwrap import indent

_MODEL = r"""
deployment:
  description:
    - A label that distinguishes this deployment from others of the same name. LiteLLM spreads the calls of a model over
      all its deployments.
  type: str
id:
  description:
    - The id of the model in LiteLLM. If not set, it follows from name and deployment. If there is exactly one model of
      this name that somebody else made, that model is taken over and keeps its id.
  type: str
provider:
  description:
    - The provider, as LiteLLM names it, for example V(openai), V(anthropic), V(gemini), V(huggingface), or
      V(hosted_vllm) for a vLLM of your own. A provider that the gateway does not know is refused.
  type: str
upstream:
  description:
    - The name of the model at the provider. Without C(provider), the provider comes before the first slash, as in
      V(openai/gpt-4o-mini). Needed for a new model.
  type: str
credential:
  description:
    - The credential to call the provider with, by its name. It must exist, or be in the same task.
  type: str
api_base:
  description:
    - The address of the provider, with its scheme, if it is not the provider's usual one.
  type: str
api_version:
  description:
    - The version of the provider's API, for example for Azure.
  type: str
provider_key:
  description:
    - The provider's key, if the model has its own. A C(credential) is better, because LiteLLM shows more of it.
    - LiteLLM never shows this key again. A fingerprint of it is noted on the model, to detect a new key. If somebody
      else changes the key without changing the notes, that is not detected.
  type: str
input_cost_per_token:
  description:
    - The price of one token of a request, in USD, if it is not the price that LiteLLM knows, for example V(2.5e-06) for
      2.50 USD per million. V(0) makes these tokens free.
  type: float
output_cost_per_token:
  description:
    - The price of one token of an answer, in USD.
  type: float
rpm:
  description:
    - How many requests per minute the provider accepts. LiteLLM uses this to spread calls over deployments.
  type: int
tpm:
  description:
    - How many tokens per minute the provider accepts. LiteLLM uses this to spread calls over deployments.
  type: int
request_timeout:
  description:
    - How many seconds a call to the provider may take.
  type: float
stream_timeout:
  description:
    - How many seconds a streamed call to the provider may take.
  type: float
max_retries:
  description:
    - How often LiteLLM retries a call to the provider.
  type: int
mode:
  description:
    - The purpose of the model, if LiteLLM does not know it, for example V(chat), V(embedding), V(completion),
      V(rerank), V(image_generation) or V(audio_transcription).
  type: str
mock_response:
  description:
    - An answer that LiteLLM gives itself, without a call to the provider. For tests.
  type: str
access_groups:
  description:
    - The groups that the model is in. A key with the name of a group among its models may call all models of the group.
      An empty list removes the model from all groups.
  type: list
  elements: str
blocked:
  description:
    - Whether the model is paused, so that LiteLLM does not call it. If not set, this is left as it is.
  type: bool
litellm_params:
  description:
    - Further parameters of LiteLLM, by LiteLLM's names. A name with the value V(null) is removed. Names that look like
      a secret's are refused here, also in nested values.
  type: dict
secret_params:
  description:
    - Further parameters of LiteLLM that are secret, for example C(aws_secret_access_key), or C(extra_headers) with an
      C(Authorization) in it. They are kept and compared like C(provider_key).
  type: dict
model_info:
  description:
    - Further information to note on the model. Every virtual key may read it. Names that are not given stay as they
      are. A name with the value V(null) is removed; for this the model is made again, as for C(unset).
  type: dict
unset:
  description:
    - The options, and the names in C(litellm_params) and C(secret_params), that the model must not have.
    - LiteLLM can remove a price from a model, and can remove the model from its access groups. To remove anything else,
      the model is deleted and made again with the same id, and cannot be called in between; secrets that stay must be
      given, and C(model_info) keeps only what is given.
  type: list
  elements: str
shares_name:
  description:
    - Whether other models of this name, from the gateway's configuration file or made by somebody else, are intended.
      LiteLLM then spreads calls over all of them. Otherwise they are an error.
  type: bool
  default: false
"""

_CREDENTIAL = r"""
provider:
  description:
    - The provider, as LiteLLM names it. It is noted on the credential, and LiteLLM's own pages sort by it.
  type: str
provider_key:
  description:
    - The provider's key. Give another one to rotate it. Models that are called with the credential use it at once.
  type: str
api_base:
  description:
    - The address of the provider, with its scheme, if it is not the provider's usual one.
  type: str
secret_values:
  description:
    - Further values by LiteLLM's names, for example C(vertex_credentials), C(aws_secret_access_key) or C(api_version).
      All are kept as secrets. A name with the value V(null) is removed.
  type: dict
unset:
  description:
    - V(provider_key), V(api_base), and names in C(secret_values), that the credential must not have. To remove them,
      the credential is deleted and made again, and its models cannot be called in between; secrets that stay must be
      given.
  type: list
  elements: str
"""

_NAMED = """
name:
  description:
    - {name}
  type: str
  required: true
"""
_MODEL_NAME = "The name under which the gateway serves the model."
_CREDENTIAL_NAME = "The name of the credential."


def _suboptions(name: str, described: str) -> str:
    return indent(_NAMED.format(name=name).strip() + described.rstrip(), " " * 6)


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  set_name:
    description:
      - The set that models and credentials belong to. It is noted on each of them. Those of another set are not
        changed.
    type: str
    default: default
  secret:
    description:
      - The secret that the fingerprints of providers' keys are made with. At least 16 characters. With another secret,
        all keys are written again.
      - If not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and then O(api_key).
    type: str
notes:
  - LiteLLM keeps models that are added at run time in its database. The gateway needs one, and C(STORE_MODEL_IN_DB=True) in
    its environment. The role P(rhpds.litellm_virtual_keys.litellm_gateway#role) sets both up.
  - Models from the gateway's configuration file cannot be changed or removed at run time.
  - Options that are not given stay as they are. A given option that somebody else has changed is set back.
"""

    # These are annotated, because ansible-test's yamllint takes every plain assignment here for a literal text.

    # The options of one model.
    MODEL: str = "options:" + indent(_MODEL.rstrip(), "  ") + "\n"

    # The options of one credential.
    CREDENTIAL: str = "options:" + indent(_CREDENTIAL.rstrip(), "  ") + "\n"

    # Lists of models and credentials.
    MANY: str = f"""
options:
  models:
    description:
      - The models. If not given, models are left alone.
    type: list
    elements: dict
    suboptions:
{_suboptions(_MODEL_NAME, _MODEL)}
  credentials:
    description:
      - The credentials. They are written before the models, and removed after them. If not given, credentials are left
        alone.
    type: list
    elements: dict
    suboptions:
{_suboptions(_CREDENTIAL_NAME, _CREDENTIAL)}
"""
