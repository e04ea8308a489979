# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options of the modules for models and credentials, and the entries that they describe. The doc fragment is `catalogue`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..common.address import is_address
from ..common.printable import quoted
from ..litellm.notes import NOTES_NAME
from ..litellm.options import SECRET_SPEC, open_client, secret_of
from .api import CatalogueApi
from .compare import is_secret_name, secret_path
from .entry import PRICES, Kind, WantedEntry
from .fingerprint import Fingerprints
from .plan import CatalogueScope, UnwantedEntry
from .reconcile import CatalogueReconciler
from .results import CatalogueIncomplete, CatalogueOutcome

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

MODEL_SPEC: dict[str, dict[str, Any]] = {
    "deployment": {"type": "str"},
    "id": {"type": "str"},
    "provider": {"type": "str"},
    "upstream": {"type": "str"},
    "credential": {"type": "str"},
    "api_base": {"type": "str"},
    "api_version": {"type": "str"},
    "provider_key": {"type": "str", "no_log": True},
    "input_cost_per_token": {"type": "float", "no_log": False},
    "output_cost_per_token": {"type": "float", "no_log": False},
    "rpm": {"type": "int"},
    "tpm": {"type": "int"},
    "request_timeout": {"type": "float"},
    "stream_timeout": {"type": "float"},
    "max_retries": {"type": "int"},
    "mode": {"type": "str"},
    "mock_response": {"type": "str"},
    "access_groups": {"type": "list", "elements": "str"},
    "blocked": {"type": "bool"},
    "litellm_params": {"type": "dict"},
    "secret_params": {"type": "dict", "no_log": True},
    "model_info": {"type": "dict"},
    "unset": {"type": "list", "elements": "str"},
    "shares_name": {"type": "bool", "default": False},
}

CREDENTIAL_SPEC: dict[str, dict[str, Any]] = {
    "provider": {"type": "str"},
    "provider_key": {"type": "str", "no_log": True},
    "api_base": {"type": "str"},
    "secret_values": {"type": "dict", "no_log": True},
    "unset": {"type": "list", "elements": "str"},
}

SET_SPEC: dict[str, dict[str, Any]] = {
    "set_name": {"type": "str", "default": "default"},
    **SECRET_SPEC,
}

# Option: the name of LiteLLM's parameter.
_PARAMS = {
    name: {"credential": "litellm_credential_name", "request_timeout": "timeout"}.get(name, name)
    for name in (
        "credential",
        "api_base",
        "api_version",
        "input_cost_per_token",
        "output_cost_per_token",
        "rpm",
        "tpm",
        "request_timeout",
        "stream_timeout",
        "max_retries",
        "mock_response",
    )
}
_INFO = ("mode", "access_groups")
_LEAST = {"rpm": 0, "tpm": 0, "max_retries": 0}
_TEXTS = ("deployment", "id", "provider", "upstream", "credential", "api_version", "mode")
_DEAREST = 1.0  # USD for one token: anything more was meant as the price of a million tokens


def wanted_model(params: Mapping[str, Any], set_name: str) -> WantedEntry:
    """Return the model that `params` (names of `MODEL_SPEC`, and `name`) describe. None means that nothing was given.

    Raises ValueError, with one sentence that names the argument and never a secret, for a value that makes no sense.
    """
    name = _checked_name(Kind.MODEL, params["name"])
    for option in _TEXTS:
        _check_text(option, params.get(option))
    plain: dict[str, Any] = {}
    upstream = _upstream(name, params)
    if upstream is not None:
        plain["model"] = upstream
    for option, param in _PARAMS.items():
        if params.get(option) is not None:
            plain[param] = params[option]
    _check_numbers(plain)
    _check_url("api_base", plain.get("api_base"))
    extra = params.get("litellm_params") or {}
    for param, value in extra.items():
        if path := secret_path(str(param), value):
            raise ValueError(f"litellm_params of the model {name} holds {path}, a secret by its name; give {param} in secret_params.")
    secrets = {**_provider_key(params), **(params.get("secret_params") or {})}
    for param, value in secrets.items():
        check_secret("provider_key" if param == "api_key" else f"secret_params.{param}", value, f" of the model {name}")
    options = {"model": "upstream", "api_key": "provider_key", **{param: option for option, param in _PARAMS.items()}}
    _check_twice(name, "litellm_params", extra, {**dict.fromkeys(_PARAMS.values(), ""), "model": "", "api_key": ""}, options)
    _check_twice(name, "secret_params", params.get("secret_params") or {}, {**plain, **extra, "api_key": ""}, options)
    info = dict(params.get("model_info") or {})
    _check_twice(name, "model_info", info, dict.fromkeys((*_INFO, *PRICES, "id", "db_model", "blocked", NOTES_NAME), ""), {})
    if info.get("team_id"):
        raise ValueError(
            f"model_info of the model {name} holds team_id, and a team's own models need LiteLLM's enterprise licence; give the team the model"
            " in its list of models, or through access_groups, which is free."
        )
    info |= {option: params[option] for option in _INFO if params.get(option) is not None}
    plain |= extra
    _unset(name, params, plain, secrets, info)
    return WantedEntry(
        Kind.MODEL,
        name,
        set_name,
        deployment=params.get("deployment") or "",
        id=params.get("id") or "",
        params=plain,
        secrets=secrets,
        info=info,
        blocked=params.get("blocked"),
        shares_name=bool(params.get("shares_name")),
    )


def wanted_credential(params: Mapping[str, Any], set_name: str) -> WantedEntry:
    """Return the credential that `params` (names of `CREDENTIAL_SPEC`, and `name`) describe. Raises ValueError as `wanted_model` does."""
    name = _checked_name(Kind.CREDENTIAL, params["name"])
    _check_text("provider", params.get("provider"))
    _check_url("api_base", params.get("api_base"))
    values = params.get("secret_values") or {}
    _check_twice(name, "secret_values", values, {"api_key": "", "api_base": ""}, {"api_key": "provider_key"})
    secrets = {**_provider_key(params), **values}
    for value_name, value in secrets.items():
        check_secret("provider_key" if value_name == "api_key" else f"secret_values.{value_name}", value, f" of the credential {name}")
        if value is not None and not isinstance(value, str):
            raise ValueError(f"secret_values.{value_name} of the credential {name} is no text; LiteLLM encrypts texts only, so give it in quotes.")
    plain = {"api_base": params["api_base"]} if params.get("api_base") is not None else {}
    for option in params.get("unset") or []:
        value_name = "api_key" if option == "provider_key" else option
        if value_name in plain or value_name in secrets:
            raise ValueError(f"unset of the credential {name} holds {option}, which is given too; remove it from one.")
        (plain if option == "api_base" else secrets)[value_name] = None
    info = {"custom_llm_provider": params["provider"]} if params.get("provider") is not None else {}
    return WantedEntry(Kind.CREDENTIAL, name, set_name, params=plain, secrets=secrets, info=info)


def unwanted_model(params: Mapping[str, Any]) -> UnwantedEntry:
    """Return the model to delete that `params` name. Raises ValueError."""
    for option in ("deployment", "id"):
        _check_text(option, params[option])
    return UnwantedEntry(Kind.MODEL, _checked_name(Kind.MODEL, params["name"]), params["deployment"], params["id"])


def unwanted_credential(params: Mapping[str, Any]) -> UnwantedEntry:
    """Return the credential to delete that `params` name. Raises ValueError."""
    return UnwantedEntry(Kind.CREDENTIAL, _checked_name(Kind.CREDENTIAL, params["name"]))


def _provider_key(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"api_key": params["provider_key"]} if params.get("provider_key") is not None else {}


def check_set(wanted: Sequence[WantedEntry]) -> None:
    """Raise ValueError if two of `wanted` are the same entry."""
    seen: dict[tuple[Kind, str], str] = {}
    for want in wanted:
        if (want.kind, want.key) in seen:
            more = "; give each deployment of a model its own deployment" if want.kind is Kind.MODEL else ""
            raise ValueError(f"the {want.kind} {want.label} is given twice{more}.")
        seen[want.kind, want.key] = want.label


def _checked_name(kind: Kind, name: str) -> str:
    """Return `name`. Raises ValueError if it cannot be used."""
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError(f"the name of a {kind} is {quoted(name)}; give one without blanks around it or line breaks.")
    return name


def check_secret(path: str, value: Any, of: str = "") -> None:
    """Raise ValueError, without the value, for a secret that is empty or badly pasted. `of` names its owner, as in ` of the model m`."""
    if isinstance(value, Mapping):
        for part, inner in value.items():
            check_secret(f"{path}.{part}", inner, of)
    if not isinstance(value, str):
        return
    if not value.strip():
        raise ValueError(f"{path}{of} is empty; give the provider's, or leave it out.")
    if value.lstrip().startswith("{"):
        _check_json(f"{path}{of}", value)
    elif not value.lstrip().startswith("-----BEGIN ") and (value != value.strip() or not value.isprintable()):
        raise ValueError(f"{path}{of} holds a line break, a control character or blanks around it; give the key alone, as the provider shows it.")


def _check_json(name: str, value: str) -> None:
    try:
        json.loads(value)
    except ValueError:
        raise ValueError(f"{name} begins like JSON and is none; give the whole file.") from None


def _check_text(option: str, value: str | None) -> None:
    if value is not None and (value != value.strip() or not value.isprintable()):
        raise ValueError(f"{option} is {quoted(value)}; give it without blanks around it or line breaks.")


def _upstream(name: str, params: Mapping[str, Any]) -> str | None:
    """Return LiteLLM's name of the model, with the provider before the first slash; None if it is not given."""
    provider, upstream = params.get("provider"), params.get("upstream")
    if upstream is None:
        if provider is not None:
            raise ValueError(f"provider of the model {name} is given without upstream; give the model's name at the provider too.")
        return None
    if not upstream or provider == "":
        raise ValueError(f"upstream or provider of the model {name} is empty; give the provider and the model's name there.")
    if provider is not None:
        return f"{provider}/{upstream}"
    own = (params.get("litellm_params") or {}).get("custom_llm_provider")
    if "/" not in upstream and not own:
        raise ValueError(
            f"upstream of the model {name} is {quoted(upstream)} without a provider; give provider, or put it before a slash, as in openai/{upstream}."
        )
    return str(upstream)


def _check_numbers(params: Mapping[str, Any]) -> None:
    for option in PRICES:
        price = params.get(option)
        if price is not None and not (math.isfinite(price) and 0 <= price <= _DEAREST):
            raise ValueError(f"{option} is {price}; give the price of one token in USD, 0 or more, for example 2.5e-06 for 2.50 USD a million.")
    for option, least in _LEAST.items():
        if params.get(option) is not None and not least <= params[option] <= 2**53:
            raise ValueError(f"{option} is {params[option]}; give a number from {least} up.")
    for option in ("request_timeout", "stream_timeout"):
        seconds = params.get(_PARAMS[option])
        if seconds is not None and not (math.isfinite(seconds) and 0 < seconds <= 86400):
            raise ValueError(f"{option} is {seconds}; give seconds above 0, at most 86400.")


def _check_url(option: str, url: str | None) -> None:
    """Raise ValueError for a text that is not an address, or that has a secret in it."""
    if url is None:
        return
    if "@" in url:
        raise ValueError(f"{option} holds a user name or password; give the plain address, and the key in provider_key.")
    if not is_address(url):
        raise ValueError(f"{option} is {quoted(url)}, which is no address; give one such as https://api.example.com/v1.")


def _check_twice(name: str, option: str, given: Mapping[str, Any], reserved: Mapping[str, Any], options: Mapping[str, str]) -> None:
    for entry in given:
        if entry in reserved:
            raise ValueError(f"{option} of {name} holds {entry}; give it in the option {options.get(entry, entry)} instead, and once.")


def _unset(name: str, params: Mapping[str, Any], plain: dict[str, Any], secrets: dict[str, Any], info: dict[str, Any]) -> None:
    for option in params.get("unset") or []:
        param = "api_key" if option == "provider_key" else _PARAMS.get(option, option)
        if param == "model" or option in ("upstream", "provider", "deployment", "id", "blocked"):
            raise ValueError(f"unset of the model {name} holds {option}, which a model cannot be without.")
        if param in plain or param in secrets or option in info:
            raise ValueError(f"unset of the model {name} holds {option}, which is given too; remove it from one.")
        if option in _INFO:
            info[option] = [] if option == "access_groups" else None
        elif is_secret_name(param):
            secrets[param] = None
        else:
            plain[param] = None


# ------------------------------------------------------------------------------------------------------- the modules
def secrets_in(wanted: Iterable[WantedEntry]) -> list[str]:
    """Return every text in the secrets of `wanted`, to keep them out of messages."""

    def texts(value: Any) -> Iterable[str]:
        if isinstance(value, Mapping):
            for inner in value.values():
                yield from texts(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from texts(inner)
        elif isinstance(value, str):
            yield value

    return [text for want in wanted for value in want.secrets.values() for text in texts(value)]


def apply(module: AnsibleModule, wanted: Sequence[WantedEntry], scope: CatalogueScope) -> dict[str, Any]:
    """Make `wanted` true within `scope`, and return what the modules return."""
    check_set(wanted)
    return _run(module, lambda reconciler: reconciler.apply(wanted, scope), secrets_in(wanted))


def delete(module: AnsibleModule, unwanted: Sequence[UnwantedEntry] | None, scope: CatalogueScope) -> dict[str, Any]:
    """Delete what `unwanted` names, or everything in the set if it is None, and return what the modules return."""
    return _run(module, lambda reconciler: reconciler.delete(unwanted, scope))


def _run(module: AnsibleModule, work: Callable[[CatalogueReconciler], CatalogueOutcome], secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return the result of `work`, with `secrets` kept out of every message. If it was done only in part, fail the module with that part."""
    prints = Fingerprints(secret_of(module.params))
    client = open_client(module)
    client.hide(secrets)
    try:
        outcome = work(CatalogueReconciler(CatalogueApi(client), prints, check_mode=module.check_mode))
    except CatalogueIncomplete as error:
        module.fail_json(msg=str(error), code=error.code, calls=client.calls, **error.outcome.to_result(with_diff=module._diff))
        raise AssertionError("fail_json does not return") from None
    for warning in outcome.warnings:
        module.warn(warning)
    return {**outcome.to_result(with_diff=module._diff), "calls": client.calls}
