# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The environment variables by which vendors' SDKs find the gateway, so code written for a vendor works unchanged.

The names are from the SDKs that PyPI had in November 2026. The paths were tried with these SDKs on LiteLLM 1.102.4:

- openai 3.57 (lib/_client_auth.py) appends `/chat/completions` to its base URL. LiteLLM serves `/v1/...`.
- anthropic 2.14 (_client.py) appends `/v1/messages` and sends the key as `x-api-key`. LiteLLM serves that path itself for
  every model. ANTHROPIC_AUTH_TOKEN stays unset: it would send a Bearer header, which the pass-through route `/anthropic`
  forwards to the vendor.
- google-genai 3.6 (_api_client.py, _base_url.py) sends `x-goog-api-key`. It speaks v1 by default, LiteLLM serves v1beta, so
  the version is set. GEMINI_API_KEY stays unset: GOOGLE_API_KEY takes precedence, and with both set every client warns. A shell
  set up for Vertex AI would send the virtual key to Google, so the two variables that select it are set to false; LiteLLM's
  route `/vertex_ai` does not read the header in which the SDK would bring the key.
- cohere 7.3 (client.py, base_client.py) appends `/v1/...` or `/v2/...`. LiteLLM forwards only what arrives under
  `/cohere`, with the vendor's key that the gateway holds.
- huggingface_hub 2.4 (constants.py, utils/_auth.py) reads the token, and the address for little more than a model's
  state: code passes `base_url=os.environ["HF_INFERENCE_ENDPOINT"]` to InferenceClient. Releases of 2023 used it for all calls.
  Downloads from the Hub would carry the virtual key to huggingface.co, which refuses it; HF_HUB_DISABLE_IMPLICIT_TOKEN prevents
  that, while InferenceClient with a `base_url` still sends the token.
- Anyscale Endpoints speak OpenAI's protocol. ANYSCALE_BASE_URL is LlamaKey's name for the address, ANYSCALE_API_BASE that
  of langchain-community 0.4 (chat_models/anyscale.py).
- vectara 0.4 (base_client.py) reads the key only: code passes the address, VECTARA_BASE_URL as in LlamaKey. The gateway
  needs a pass-through route `/vectara`, see the guide to providers.
- litellm 1.102 itself (llms/litellm_proxy/chat/transformation.py), for models called `litellm_proxy/...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ..common import address
from ..common.printable import printable, quoted

KEY_ITSELF = None

# By vendor and variable: the key itself, or the path that follows the gateway's address.
VENDORS: dict[str, dict[str, str | None]] = {
    "openai": {"OPENAI_API_KEY": KEY_ITSELF, "OPENAI_BASE_URL": "/v1"},
    "anthropic": {"ANTHROPIC_API_KEY": KEY_ITSELF, "ANTHROPIC_BASE_URL": ""},
    "google": {"GOOGLE_API_KEY": KEY_ITSELF, "GOOGLE_GEMINI_BASE_URL": ""},
    "cohere": {"CO_API_KEY": KEY_ITSELF, "CO_API_URL": "/cohere"},
    "huggingface": {"HF_TOKEN": KEY_ITSELF, "HF_INFERENCE_ENDPOINT": "/v1"},
    "anyscale": {"ANYSCALE_API_KEY": KEY_ITSELF, "ANYSCALE_BASE_URL": "/v1", "ANYSCALE_API_BASE": "/v1"},
    "vectara": {"VECTARA_API_KEY": KEY_ITSELF, "VECTARA_BASE_URL": "/vectara"},
    "litellm": {"LITELLM_PROXY_API_KEY": KEY_ITSELF, "LITELLM_PROXY_API_BASE": ""},
}
CONSTANTS: dict[str, dict[str, str]] = {
    "google": {
        "GOOGLE_GENAI_API_VERSION": "v1beta",
        "GOOGLE_GENAI_USE_VERTEXAI": "false",
        "GOOGLE_GENAI_USE_ENTERPRISE": "false",
    },
    "huggingface": {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_KEY = re.compile(r"[!-~]+")


def ascii_gateway_address(url: str) -> str:
    """Return the gateway's address in a form that every SDK can read. Raises ValueError if it is not plain ASCII."""
    base = address.gateway_address(url)
    if not base.isascii():
        raise ValueError(f"url is {quoted(url, 100)}, which not every SDK can read; give the host's name as in the DNS, such as xn--bcher-kva.example.")
    return base


def variables(url: str, key: str, vendors: Iterable[str] | None = None, paths: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that the SDKs of `vendors` read, by name; of all VENDORS if None.

    `paths` replaces, by vendor, the path after the gateway's address. Raises ValueError for an invalid key, URL, vendor or
    path; the message does not contain the key.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError("the key is empty or holds a blank, a line break or a letter that no key has; give the value of a virtual key.")
    base = ascii_gateway_address(url)
    wanted = list(VENDORS) if vendors is None else list(vendors)
    replaced = dict(paths or {})
    for vendor in (*wanted, *replaced):
        if vendor not in VENDORS:
            raise ValueError(f"vendor is {quoted(vendor, 40)}, which is not known; choose among {', '.join(VENDORS)}.")
    for vendor, other in replaced.items():
        if not isinstance(other, str) or not _PATH.fullmatch(other):
            raise ValueError(f"the path of vendor {vendor} is {quoted(other, 60)}; it must be empty or like /v1, without a slash at its end.")
    result: dict[str, str] = {}
    for vendor in wanted:
        for name, path in VENDORS[vendor].items():
            result[name] = key if path is KEY_ITSELF else base + replaced.get(vendor, path)
        result.update(CONSTANTS.get(vendor, {}))
    return result


def env_file(variables: Mapping[str, str], comments: Sequence[str] = ()) -> str:
    """Return a file that any POSIX shell can source: comments, then `export NAME='value'` for each variable.

    Values keep line breaks and quotes; only NUL is refused. Raises ValueError, which does not contain values.
    """
    lines = [f"# {printable(comment, 200)}" for comment in comments]
    for name, value in variables.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{quoted(name, 60)} is not the name of an environment variable; use letters, digits and _.")
        lines.append(f"export {name}={quote(value, name)}")
    return "\n".join(lines) + "\n"


def quote(value: str, name: str = "the value") -> str:
    """Return `value` as one word of a POSIX shell, in single quotes. Raises ValueError if no environment can hold it."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a text; give its value in quotes.")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name} holds a character that cannot stand in an environment variable.")
    return "'" + value.replace("'", "'\"'\"'") + "'"
