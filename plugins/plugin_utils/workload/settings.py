# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""From the variables of the role ocp4_workload_litellm_virtual_keys to its settings: every check of its input is here.

Only variables that have an effect on the action are read, so that a lab that was provisioned once can always be destroyed.
The settings hold no secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...module_utils.common import durations, names
from ...module_utils.common.address import gateway_address
from ...module_utils.keys.revocation import CACHE_SECONDS, Proof, ProofKind
from ...module_utils.litellm.environment import API_KEY_ENVIRONMENT, SECRET_ENVIRONMENT, SHORTEST_SECRET, URL_ENVIRONMENT
from . import terms, values
from .names import ACTIONS, FULL_NAME, ROLE, SOURCES, without_effect

_MOST_USERS = 10**6


class Variables:
    """The variables of a run. `read` returns the value of one, templated, or None if it is not set; it raises ValueError."""

    def __init__(self, read: Callable[[str], Any], environment: Mapping[str, str]) -> None:
        self.read, self.environment = read, environment

    def own(self, name: str) -> Any:
        """Return the value of one of the role's own variables, named without the role's name."""
        return self.read(f"{ROLE}_{name}")

    def name_of(self, name: str) -> str:
        """Return the name under which one of the role's own variables was set: its own, or that of its source."""
        own = self.own(name)
        for source in SOURCES.get(name, ()):
            value = self.read(source)
            if value is not None:
                return source if str(value) == str(own) else f"{ROLE}_{name}"  # a template may make a text of a number
        return f"{ROLE}_{name}"

    def text(self, name: str) -> str:
        return values.text(self.own(name), self.name_of(name)).strip()

    def flag(self, name: str, default: bool = False) -> bool:
        return values.flag(self.own(name), self.name_of(name), default)

    def choice(self, name: str, *choices: str) -> str:
        return values.choice(self.own(name), self.name_of(name), choices)

    def first(self, name: str, environment: tuple[str, ...]) -> str:
        """Return the text of a variable of any role, else of the first environment variable that is set."""
        given = values.text(self.read(name), name).strip()
        return given or next((self.environment[each] for each in environment if self.environment.get(each)), "")


def settings_of(read: Callable[[str], Any], set_names: Collection[str], environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of a run, and warnings. `set_names` are the names of all variables.

    Raises ValueError with one sentence if a variable that has an effect cannot be used.
    """
    variables = Variables(read, environment)
    action = _action(variables)
    provisions = ACTIONS[action] == ACTIONS["provision"]
    wrong, warnings = without_effect(set_names)
    if wrong and provisions:
        raise ValueError(wrong[0])
    by_id = ACTIONS[action] == ACTIONS["destroy"] and variables.choice("delete_method", "by_alias", "by_key_id") == "by_key_id"
    settings: dict[str, Any] = {"action": action, "tasks": ACTIONS[action], **_gateway(variables)}
    lab, more = _lab(variables, by_id=by_id, strict=provisions)
    settings |= lab
    settings |= _user_info(variables)
    deletes = provisions or action == "rotate" or ACTIONS[action] == ACTIONS["destroy"]
    settings["proof"] = _proof(variables) if deletes else {}
    if provisions:
        in_loop = _in_tenant_loop(variables, settings["tenant"])
        if in_loop and variables.flag("multi_user"):
            more.append(f"{ROLE}_multi_user is true, but tenant_workloads names this role, so each tenant is one user and gets one key; take it out.")
        settings |= _provisioning(variables, settings, in_loop=in_loop)
    elif ACTIONS[action] == ACTIONS["destroy"]:
        settings |= _destroying(variables, by_id=by_id)
    elif action == "extend":
        settings |= _extending(variables)
    elif action == "rotate":
        settings |= {
            "rotation": variables.text("rotation"),
            "rotation_grace": values.duration(variables.own("rotation_grace"), f"{ROLE}_rotation_grace", least=0) or "0s",
        }
    if provisions or action in ("rotate", "adopt"):
        _check_output_dir(values.text(read("output_dir"), "output_dir"), settings)
    return settings, wrong + warnings + more


def _action(variables: Variables) -> str:
    """Return the action: `agnosticd_action`, else `ACTION`, else provision, as in release 1.3.2."""
    for name in ("agnosticd_action", "ACTION"):
        given = variables.read(name)
        if given is None or (name == "agnosticd_action" and not values.is_given(given)):
            continue
        action = values.text(given, name).strip()
        if action not in ACTIONS:
            raise ValueError(f"{name} is '{action}', which this workload does not know; set ACTION (or agnosticd_action) to one of {', '.join(ACTIONS)}.")
        return action
    return "provision"


# ------------------------------------------------------------------------------------------------------------ gateway
def _gateway(variables: Variables) -> dict[str, Any]:
    url = variables.first("litellm_url", URL_ENVIRONMENT)
    if not url:
        raise ValueError("litellm_url is not set; give the address of the gateway, such as https://litellm.example.com, or set LITELLM_BASE_URL.")
    if not variables.first("litellm_master_key", API_KEY_ENVIRONMENT):
        raise ValueError("litellm_master_key is not set; give the gateway's master key, or set LITELLM_MASTER_KEY.")
    secret = variables.text("secret")
    if secret and len(secret) < SHORTEST_SECRET:
        name = SECRET_ENVIRONMENT[0] if secret == variables.environment.get(SECRET_ENVIRONMENT[0]) else variables.name_of("secret")
        raise ValueError(f"{name}: the secret has {len(secret)} characters; give at least {SHORTEST_SECRET}, for every key's value follows from it.")
    shown = variables.text("gateway_url")
    try:
        gateway_address(url)
    except ValueError as error:
        raise ValueError(f"litellm_{error}") from None
    try:
        endpoint = gateway_address(shown or url)
    except ValueError as error:
        raise ValueError(f"{ROLE}_gateway_{error}") from None
    return {
        "url": url,
        "endpoint": endpoint,
        "connection": {
            "timeout": _number(variables, "api_timeout", 0.1, 3600, "seconds", 30.0),
            "validate_certs": variables.flag("verify_ssl", True),
            "ca_path": _readable_file(variables.text("ca_path"), variables.name_of("ca_path")),
            "key_header_name": variables.text("key_header_name"),
            "retries": _whole_number(variables, "retry_count", 0, 20, 3),
            "retry_delay": _number(variables, "retry_delay", 0, 60, "seconds", 5.0),
        },
    }


def _number(variables: Variables, name: str, least: float, most: float, unit: str, default: float) -> float:
    found = values.number(variables.own(name), variables.name_of(name), least, most, unit)
    return default if found is None else found


def _whole_number(variables: Variables, name: str, least: int, most: int, default: int) -> int:
    found = values.whole_number(variables.own(name), variables.name_of(name), least, most)
    return default if found is None else found


def _readable_file(path: str, name: str) -> str:
    """Return the absolute path of a file, relative to the current directory. Empty if not given."""
    if not path:
        return ""
    absolute = os.path.abspath(os.path.expanduser(path))
    if not os.access(absolute, os.R_OK):
        raise ValueError(f"{name} is {path}, which cannot be read; give a readable file.")
    return absolute


# ---------------------------------------------------------------------------------------------------------------- lab
def _lab(variables: Variables, *, by_id: bool, strict: bool) -> tuple[dict[str, Any], list[str]]:
    """Return whose keys these are, and warnings. Only with `strict` a name of users that no key can have is an error."""
    guid = values.text(variables.read("guid"), "guid")
    if not guid:
        if by_id:
            return {"guid": "", "alias": "", "lab_alias": "", "user_base": "user", "tenant": ""}, []
        raise ValueError("guid is not set; give the GUID of the lab.")
    names.check_guid(guid)
    alias = variables.text("alias_format")
    try:
        names.check_alias(alias)
    except ValueError as error:
        raise ValueError(str(error).replace("alias", f"{ROLE}_alias_format", 1)) from None
    user_base, warnings = variables.text("user_base") or "user", []
    try:
        names.check_user(user_base)
    except ValueError as error:
        problem = str(error).replace("user", variables.name_of("user_base"), 1)
        if strict:
            raise ValueError(problem) from None
        user_base, warnings = "user", [f"{problem.rstrip('.')}; keys are found by the GUID alone."]
    return {
        "guid": guid,
        "alias": alias,
        "lab_alias": "" if alias == names.lab_alias(guid) else alias,
        "user_base": user_base,
        "tenant": variables.text("tenant"),
    }, warnings


# ----------------------------------------------------------------------------------------------------------- user info
def _user_info(variables: Variables) -> dict[str, Any]:
    return {
        "values_in_facts": variables.flag("store_key_in_facts", True),
        "messages": variables.flag("enable_user_info_messages", True),
        "data": variables.flag("enable_user_info_data", True),
        "all_keys": variables.flag("user_info_all_keys"),
        "tenants": variables.flag("user_info_tenants"),
        "hidden": variables.flag("user_info_no_log", True),
    }


def _check_output_dir(output_dir: str, settings: Mapping[str, Any]) -> None:
    """Raise ValueError if user info is to be saved in a directory that cannot be written, before there are keys to save."""
    if not output_dir or not (settings["messages"] or settings["data"]):
        return
    place = Path(output_dir).expanduser().absolute()
    existing = next(folder for folder in (place, *place.parents) if os.path.lexists(folder))
    if not existing.is_dir():
        raise ValueError(f"output_dir is {output_dir}, but {existing} is not a directory; name a directory that can be written.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ValueError(f"output_dir is {output_dir}, but nothing can be written in {existing}; name a directory that can be written.")


# ------------------------------------------------------------------------------------------------------------ actions
def _in_tenant_loop(variables: Variables, tenant: str) -> bool:
    """Return whether AgnosticD's tenant loop runs the role: once for each of `num_users` tenants."""
    workloads = variables.read("tenant_workloads") if tenant else None
    return isinstance(workloads, Sequence) and not isinstance(workloads, str) and FULL_NAME in workloads


def _provisioning(variables: Variables, settings: Mapping[str, Any], *, in_loop: bool) -> dict[str, Any]:
    docling = {}
    if variables.flag("include_docling"):
        model, path = variables.text("docling_model"), variables.text("docling_path")
        if not model:
            raise ValueError(f"{ROLE}_docling_model is empty; give the name under which the gateway serves Docling.")
        docling = {"model": model, "endpoint": f"{settings['endpoint']}/{path.lstrip('/')}"}
    own = {name: variables.own(name) for name in ("models", "duration", "max_budget")}
    package = variables.text("subscription_package") or "ai-developer"
    metadata = values.mapping(variables.own("metadata"), f"{ROLE}_metadata") or {}
    values.messages(variables.own("user_info_messages"), f"{ROLE}_user_info_messages")
    return {
        "terms": terms.terms(variables.own("packages"), package, own, terms.runtime_duration(variables.read("agnosticd_user_info")), docling),
        "wanted": _wanted(variables, settings["user_base"], settings["tenant"], in_loop=in_loop),
        "metadata": {"guid": settings["guid"], **metadata},
        "state": "exact" if variables.flag("remove_former_users") else "present",
        "on_unrecoverable": variables.choice("on_unrecoverable", "fail", "rotate", "keep"),
    }


def _wanted(variables: Variables, user_base: str, tenant: str, *, in_loop: bool) -> list[dict[str, str]]:
    count_name = variables.name_of("user_count")
    many = not in_loop and terms.has_many_users(
        variables.own("multi_user"),
        tenant,
        variables.read("ocp4_workload_multi_user"),
        variables.read("num_users"),
        {"multi_user": f"{ROLE}_multi_user", "lab_multi_user": "ocp4_workload_multi_user", "num_users": "num_users"},
    )
    if not many:
        return [{"user_id": variables.text("user_id_format")}]
    most = values.whole_number(variables.own("user_count_max"), f"{ROLE}_user_count_max", 1, _MOST_USERS) or 1000
    count = values.whole_number(variables.own("user_count"), count_name, 0, _MOST_USERS)
    if not count or count > most:
        raise ValueError(
            f"{count_name} is {values.as_typed(variables.own('user_count'))}, and each of many users is to get a key; give a whole number from 1 to {most}"
            f"{f', or raise {ROLE}_user_count_max' if count else f', or set {ROLE}_multi_user to false'}."
        )
    return terms.keys_of_users(user_base, count, variables.text("user_email_domain"))


def _destroying(variables: Variables, *, by_id: bool) -> dict[str, Any]:
    key_id = variables.text("key_id").lower() if by_id else ""
    if by_id and not re.fullmatch("[0-9a-f]{64}", key_id):
        raise ValueError(f"{ROLE}_key_id is {values.as_typed(key_id)}, which is not the id of a key; give the 64 digits and letters of litellm_key_id.")
    receipt_file = variables.text("spend_receipt_file")
    force_db_delete = variables.flag("force_db_delete")
    return {
        "by_id": by_id,
        "key_id": key_id,
        "receipt": variables.flag("spend_receipt", True) and not by_id,
        "receipt_file": os.path.abspath(os.path.expanduser(receipt_file)) if receipt_file else "",
        "force_db_delete": force_db_delete and not by_id,
        "database": _database(variables) if force_db_delete else {},
    }


def _database(variables: Variables) -> dict[str, Any]:
    """Return where the gateway's database is, or the `problem` with that. Its address may hold a password, so only whether it is given is returned.

    A problem does not matter as long as the gateway itself deletes the keys.
    """
    try:
        found = {name: variables.text(name) for name in ("namespace", "postgres_pod", "postgres_db")}
        by_url = bool(variables.text("database_url"))
    except ValueError as error:
        return {"problem": str(error)}
    empty = [name for name, value in found.items() if not value]
    if empty and not by_url:
        return {"problem": f"{ROLE}_{empty[0]} is empty; give it for force_db_delete, or give {ROLE}_database_url."}
    return {"problem": "", "by_url": by_url, **found}


def _proof(variables: Variables) -> dict[str, Any]:
    """Return how the revocation of deleted values is proven, as options of the modules that delete keys."""
    kind = variables.choice("proof", *(each.value for each in ProofKind))
    cache_time = _number(variables, "proof_cache_time", 0, 86_400, "seconds", CACHE_SECONDS)
    timeout = values.number(variables.own("proof_timeout"), variables.name_of("proof_timeout"), 1, 172_800, "seconds")
    workers = _whole_number(variables, "proof_workers", 1, 1000, 1)
    try:
        Proof(ProofKind(kind), cache_time, workers, timeout)
    except ValueError as error:
        raise ValueError(str(error).replace("proof_timeout", variables.name_of("proof_timeout"), 1)) from None
    proof = {"proof": kind, "proof_cache_time": cache_time, "proof_workers": workers}
    return proof if timeout is None else {**proof, "proof_timeout": timeout}


def _extending(variables: Variables) -> dict[str, Any]:
    until = variables.text("extend_until")
    if until:
        durations.parse_time(until, f"{ROLE}_extend_until")
    return {
        "extend_for": terms.runtime_duration(variables.read("agnosticd_user_info"))
        or values.duration(variables.own("extend_for"), f"{ROLE}_extend_for")
        or "168h",
        "extend_until": until,
    }
