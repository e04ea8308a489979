# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The plan and the results of the role `key_delivery`. Pure: the role's tasks carry the plan out.

A plan holds one parcel for each key and method. Settings that cannot work are an error before anything is delivered. A
key that cannot be delivered has a result that says so, and the other keys are delivered.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePosixPath
from typing import Any

from ..module_utils.common import durations
from ..module_utils.common.printable import printable, quoted, redact
from ..module_utils.delivery import client_env, sealed
from ..module_utils.delivery.mail import KINDS, LANGUAGES, Notice
from ..module_utils.keys import derive

KUBERNETES_SECRET, MAIL, ENV_FILE, AGNOSTICD = METHODS = ("kubernetes_secret", "mail", "env_file", "agnosticd")
SEALED = "sealed"
"""The method of passes over requests only: a sealed box lies with the request of its owner, who can ask for another one."""
REMOVABLE = (KUBERNETES_SECRET, ENV_FILE)
DELIVERED, REMOVED, PLANNED, FAILED = "delivered", "removed", "planned", "failed"

SECRET_TYPE = "rhpds/litellm-virtual-key"  # noqa: S105 - not a password
"""The type of a Secret cannot be changed, so the API server itself prevents us from taking over another program's Secret."""
MANAGER = "rhpds.litellm_virtual_keys"
PREFIX = "litellm-virtual-keys.rhpds/"
LONGEST_SLUG = 200
"""Characters of an alias in the name of a Secret."""
SECRET_LABELS = {"app.kubernetes.io/managed-by": MANAGER, "app.kubernetes.io/component": "llm-key"}

_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PERMANENT = frozenset((400, 401, 403, 404, 405, 409, 413, 422))


@dataclass(frozen=True)
class DeliverySettings:
    """The role's variables that decide what is delivered."""

    methods: Sequence[str]
    url: str = ""
    state: str = "present"
    vendors: Sequence[str] = tuple(client_env.VENDORS)
    vendor_paths: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    secret_prefix: str = ""
    env_file: str = ""
    mail_language: str = "en"
    mail_note: str = ""
    mail_include_value: bool = True
    portal_url: str = ""
    """The address of the portal, on which links to sealed keys begin."""
    box_lifetime: str = "7d"
    """For how long such a link works."""
    messages: Sequence[Mapping[str, Any]] = ()
    """Mails besides those that bring keys, as the module key_mail takes them."""

    @property
    def mails_name_secret(self) -> bool:
        """Whether mails say in which Secret the key is, because they do not hold it."""
        return KUBERNETES_SECRET in self.methods and not self.mail_include_value


@dataclass(frozen=True)
class Parcel:
    """A key or a mail to deliver by one method. `contents` is the argument of that method's task."""

    alias: str
    user: str
    email: str
    request_id: str
    target: str
    contents: Mapping[str, Any]


# -------------------------------------------------------------------------------------------------------------- plan
def plan_deliveries(keys: Iterable[Mapping[str, Any]], settings: DeliverySettings) -> dict[str, Any]:
    """Return by method the parcels as mappings, and as `problems` the results of keys that cannot be delivered.

    Raises ValueError for settings that cannot work.
    """
    present = settings.state == "present"
    wanted = [_checked(key) for key in keys if not key.get("retired_from") and not (present and key.get("action") == "deleted")]
    check_settings(settings, with_keys=bool(wanted))
    planned: dict[str, list[Parcel]] = {method: [] for method in (*METHODS, *({SEALED} & set(settings.methods)))}
    problems: list[dict[str, Any]] = []
    for method in dict.fromkeys(settings.methods):
        if not present and method not in REMOVABLE:
            continue
        for key in wanted:
            try:
                if present and not key.get("value"):
                    raise ValueError("its value is not known; give the task that makes keys no_log, or rotate a key that cannot be recovered")
                planned[method].append(_PACK[method](key, settings))
            except ValueError as error:
                problems.append(_result(_parcel(key, "", {}), method, FAILED, reason=str(error).removesuffix(".")))
        _refuse_shared_targets(method, planned[method])
    for message in settings.messages:
        try:
            planned[MAIL].append(_notice(message))
        except ValueError as error:
            problems.append(_result(_addressed(message), MAIL, FAILED, reason=str(error).removesuffix(".")))
    return {**{method: [parcel.__dict__ for parcel in parcels] for method, parcels in planned.items()}, "problems": problems}


def check_settings(settings: DeliverySettings, *, with_keys: bool = True) -> None:
    """Raise ValueError for settings that cannot work. Without keys to deliver, those that only keys need are not looked at."""
    unknown = [method for method in settings.methods if method not in (*METHODS, SEALED)]
    if unknown:
        raise ValueError(f"method {quoted(unknown[0], 40)} is not known; choose among {', '.join(METHODS)}.")
    if settings.state not in ("present", "absent"):
        raise ValueError(f"state is {quoted(settings.state, 40)}, which is not known; choose present or absent.")
    present = settings.state == "present"
    if present and with_keys:
        client_env.variables(settings.url, "sk-check", settings.vendors, settings.vendor_paths)
    if SEALED in settings.methods and present:
        _check_sealed(settings)
    if MAIL in settings.methods and present and not (settings.mail_include_value or settings.mails_name_secret or settings.mail_note.strip()):
        raise ValueError("mails do not hold the key and the note is empty; say in key_delivery_mail_note where the recipient finds it.")


def _check_sealed(settings: DeliverySettings) -> None:
    if MAIL in settings.methods:
        raise ValueError("keys are to be delivered both sealed and by mail; choose one of them, because a sealed key comes with a mail of its own.")
    if not settings.portal_url:
        raise ValueError("keys are to be delivered sealed, and the address of the portal that opens them is missing; set key_requests_portal_url.")
    sealed.check_portal_url(settings.portal_url)
    durations.seconds(settings.box_lifetime, "the lifetime of links to sealed keys")
    sealed.check_library()


def _checked(key: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `key`. Raises ValueError if it has no alias."""
    if not isinstance(key.get("alias"), str) or not key["alias"]:
        raise ValueError("an entry of key_delivery_keys has no alias; give the virtual_keys that the module of that name returns.")
    return key


def _refuse_shared_targets(method: str, parcels: Sequence[Parcel]) -> None:
    """Raise ValueError if two keys would be written to the same Secret or file."""
    seen: dict[str, str] = {}
    for parcel in parcels if method in REMOVABLE else ():
        other = seen.setdefault(parcel.target, parcel.alias)
        if other != parcel.alias:
            name = "secret_name" if method == KUBERNETES_SECRET else "env_file"
            raise ValueError(f"the keys {other} and {parcel.alias} would share {parcel.target}; give one of them another {name}.")


def _parcel(key: Mapping[str, Any], target: str, contents: Mapping[str, Any]) -> Parcel:
    return Parcel(
        key["alias"], str(key.get("user") or ""), str(key.get("email") or key.get("user_id") or ""), str(key.get("request_id") or ""), target, contents
    )


def _notice(message: Mapping[str, Any]) -> Parcel:
    """Return the parcel of a mail that brings no key.

    Raises ValueError for what would make the module key_mail refuse all mails, so that the others are still sent.
    """
    missing = [name for name in ("kind", "to", "id") if not message.get(name)]
    if missing:
        raise ValueError(f"the mail has no {missing[0]}; give kind, to and id with every message")
    unknown = sorted(str(name) for name in message if name not in Notice.__dataclass_fields__)
    if unknown:
        raise ValueError(f"{quoted(unknown[0], 40)} is no option of a message; see the module key_mail")
    if message["kind"] not in KINDS:
        raise ValueError(f"the kind of the mail is {quoted(message['kind'], 40)}; give one of {', '.join(KINDS)}")
    _check_language(message.get("language"))
    return _addressed(message)


def _addressed(message: Mapping[str, Any]) -> Parcel:
    """Return the parcel of a mail, without checking it."""
    texts = {name: str(message.get(name) or "") for name in ("alias", "user", "to", "request_id", "id")}
    return Parcel(texts["alias"], texts["user"], texts["to"], texts["request_id"] or texts["id"], texts["to"], message)


def _check_language(language: object) -> None:
    if language and language not in LANGUAGES:
        raise ValueError(f"the language of the mail is {quoted(language, 40)}; give one of {', '.join(LANGUAGES)}")


def _secret_place(key: Mapping[str, Any], settings: DeliverySettings) -> tuple[str, str]:
    """Return namespace and name of the Secret for a key. Raises ValueError."""
    namespace = str(key.get("namespace") or settings.namespace)
    if not _NAMESPACE.fullmatch(namespace):
        raise ValueError(f"the namespace is {quoted(namespace)}; set key_delivery_kubernetes_namespace, or namespace of the key")
    name = str(key.get("secret_name") or settings.secret_prefix + slug(key["alias"], LONGEST_SLUG))
    if not _NAME.fullmatch(name):
        raise ValueError(f"the name of the Secret is {quoted(name)}; use small letters, digits, '-' and '.'")
    return namespace, name


def _secret(key: Mapping[str, Any], settings: DeliverySettings) -> Parcel:
    namespace, name = _secret_place(key, settings)
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_TYPE}
    if settings.state == "present":
        owner = str(key.get("email") or key.get("user_id") or key.get("user") or "")
        asked = str(key.get("request_id") or "")
        names = {"alias": key["alias"], "owner": owner, "request": asked}
        metadata["labels"] = {**SECRET_LABELS, **{f"{PREFIX}{name}": label(value) for name, value in names.items() if value}}
        notes = {**names, "expires": key.get("expires") or "never", "key-id": key.get("key_id") or ""}
        metadata["annotations"] = {f"{PREFIX}{name}": printable(str(value)) for name, value in notes.items() if value}
        variables = client_env.variables(settings.url, key["value"], settings.vendors, settings.vendor_paths)
        manifest["data"] = {name: base64.b64encode(value.encode()).decode() for name, value in variables.items()}
    return _parcel(key, f"{namespace}/{name}", manifest)


def _message(key: Mapping[str, Any], settings: DeliverySettings) -> Parcel:
    value = str(key["value"])
    parcel = _parcel(key, "", {})
    if not parcel.email:
        raise ValueError("it has no e-mail address; give email with the key")
    _check_language(key.get("language"))
    models = [str(model) for model in key.get("models") or []]
    namespace, secret_name = _secret_place(key, settings) if settings.mails_name_secret else ("", "")
    message = {
        "kind": "approval",
        "to": parcel.email,
        "id": f"{parcel.request_id or parcel.alias}/{derive.token(value)[:16]}",  # a rotated key is another mail
        "language": str(key.get("language") or settings.mail_language),
        "value": value if settings.mail_include_value else "",
        "url": settings.url,
        "alias": parcel.alias,
        "user": parcel.user,
        "models": models,
        "package": str(key.get("package") or ""),
        "expires": str(key["expires"] or "never") if "expires" in key else "",
        "request_id": parcel.request_id,
        "namespace": namespace,
        "secret_name": secret_name,
        "note": str(key.get("note") or settings.mail_note),
    }
    return _parcel(key, parcel.email, {name: text for name, text in message.items() if text})


def _sealed_parcel(key: Mapping[str, Any], settings: DeliverySettings) -> Parcel:
    """Return the document to seal, and the mail for it, in which the link is still missing."""
    parcel = _message(key, replace(settings, mail_include_value=False))
    document = sealed.document_of(
        str(key["value"]),
        settings.url,
        models=parcel.contents.get("models", ()),
        expires=key.get("expires") or None,
        alias=parcel.alias,
        vendors=settings.vendors,
        paths=settings.vendor_paths,
    )
    return replace(parcel, contents={"document": document, "key_mark": key_mark(str(key["value"])), "message": parcel.contents})


def key_mark(value: str) -> str:
    """Return what a box keeps of a key's value, to tell whether it is still the present one."""
    return mark_of_token(derive.token(value))


def mark_of_token(token: str) -> str:
    """Return the mark of the value with this token."""
    return token[:16]


def _env_file(key: Mapping[str, Any], settings: DeliverySettings) -> Parcel:
    user = str(key.get("user") or "")
    path = str(key.get("env_file") or "")
    if not path:
        if not settings.env_file or (user and not _USER.fullmatch(user)):
            raise ValueError("no name for its file can be made of key_delivery_env_file and its user; give env_file with the key")
        shared = PurePosixPath(settings.env_file)
        path = str(shared.with_name(f"{shared.stem}-{user}{shared.suffix}")) if user else settings.env_file
    if not path.isprintable() or path.endswith("/"):
        raise ValueError(f"its file is {quoted(path, 100)}; give the path of a file")
    if settings.state == "present":
        client_env.variables(settings.url, key["value"])
    return _parcel(key, path, {"path": path, "alias": key["alias"], **({"value": key["value"]} if settings.state == "present" else {})})


def _user_info(key: Mapping[str, Any], settings: DeliverySettings) -> Parcel:
    endpoint = client_env.ascii_gateway_address(settings.url)
    models = [str(model) for model in key.get("models") or []]
    parcel = _parcel(key, str(key.get("user") or "the lab"), {})
    data = {
        "litellm_api_endpoint": endpoint,
        "litellm_api_base_url": f"{endpoint}/v1",
        "litellm_virtual_key": str(key["value"]),
        "litellm_key_alias": parcel.alias,
        "litellm_key_id": derive.token(str(key["value"])),
        **({"litellm_available_models": models, "litellm_available_models_list": ", ".join(models)} if models else {}),
        **({"litellm_user_email": parcel.email} if parcel.email and parcel.user else {}),
    }
    return _parcel(key, parcel.target, {"data": data})


_PACK: dict[str, Callable[[Mapping[str, Any], DeliverySettings], Parcel]] = {
    KUBERNETES_SECRET: _secret,
    MAIL: _message,
    ENV_FILE: _env_file,
    AGNOSTICD: _user_info,
    SEALED: _sealed_parcel,
}


def slug(text: str, longest: int) -> str:
    """Return `text` in small letters, digits and '-', at most `longest` characters. A changed text ends with its hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain if plain == text and len(plain) <= longest else _hashed(plain, text, longest)


def label(text: str) -> str:
    """Return `text` as the value of a Kubernetes label. `ada@example.com` is `ada_at_example.com`.

    A text that is otherwise changed or cut ends with its hash.
    """
    spelt = text.replace("@", "_at_")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", spelt).strip("._-")
    return plain if plain == spelt and len(plain) <= 63 else _hashed(plain, text, 63)


def _hashed(plain: str, text: str, longest: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{plain[: longest - 11].rstrip('._-')}-{digest}".lstrip("-")


# ----------------------------------------------------------------------------------------------------------- results
def delivery_results(parcels: Sequence[Mapping[str, Any]], method: str, outcome: Mapping[str, Any], done: str = DELIVERED) -> list[dict[str, Any]]:
    """Return the result of each parcel, from what the method's task registered, without any key.

    `done` is the status of what succeeded.
    """
    packed = [Parcel(**parcel) for parcel in parcels]
    read = {KUBERNETES_SECRET: _results_of_kubernetes, MAIL: _results_of_mail}.get(method, _results_of_list)
    return read(packed, method, outcome, done)


def own_secrets(parcels: Sequence[Mapping[str, Any]], claimed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the manifests of the Secrets that this collection made, which a dry run could apply.

    `claimed` is what the dry run registered. The API server refuses to apply a Secret over one of another type.
    """
    packed = [Parcel(**parcel) for parcel in parcels]
    return [parcel.contents for parcel in _own_parcels(packed, _results_of_kubernetes(packed, KUBERNETES_SECRET, claimed, REMOVED))]


def _own_parcels(parcels: Sequence[Parcel], claims: Sequence[Mapping[str, Any]]) -> list[Parcel]:
    return [parcel for parcel, claim in zip(parcels, claims, strict=True) if claim["status"] != FAILED]


def _results_of_mail(parcels: Sequence[Parcel], method: str, outcome: Mapping[str, Any], done: str) -> list[dict[str, Any]]:
    entries: Sequence[Mapping[str, Any]] = outcome.get("mails") or []
    if len(entries) != len(parcels):
        return [_result(parcel, method, FAILED, reason=_failure_text(outcome), temporary=True) for parcel in parcels]
    good = ("sent", "planned")
    return [
        _result(
            parcel,
            method,
            done if entry["status"] in good else FAILED,
            changed=entry["status"] in good,
            reason=str(entry["reason"]),
            temporary=bool(entry["temporary"]),
        )
        for parcel, entry in zip(parcels, entries, strict=True)
    ]


def _results_of_kubernetes(parcels: Sequence[Parcel], method: str, outcome: Mapping[str, Any], done: str) -> list[dict[str, Any]]:
    """kubernetes.core.k8s returns the result of one definition as it is, and the results of several as a list, in order.

    Removal takes two steps: the Secrets that were `claimed` in a dry run, and those of them that were `removed`.
    """
    if "claimed" in outcome:
        claims = _results_of_kubernetes(parcels, method, outcome["claimed"], done)
        removals = iter(_results_of_kubernetes(_own_parcels(parcels, claims), method, outcome["removed"], done))
        return [claim if claim["status"] == FAILED else next(removals) for claim in claims]
    single = len(parcels) == 1 and ("result" in outcome or "error" in outcome)
    entries: Sequence[Mapping[str, Any]] = [outcome] if single else (outcome.get("result") or {}).get("results") or []
    if len(entries) != len(parcels):
        return [_result(parcel, method, FAILED, reason=_failure_text(outcome), temporary=True) for parcel in parcels]
    return [_result_of_secret(parcel, method, entry, done) for parcel, entry in zip(parcels, entries, strict=True)]


def _result_of_secret(parcel: Parcel, method: str, entry: Mapping[str, Any], done: str) -> dict[str, Any]:
    error = entry.get("error")
    if not error:
        return _result(parcel, method, done, changed=bool(entry.get("changed")))
    code, reason = _status(str(error.get("msg") or error))
    if code == 404 and "data" not in parcel.contents:  # to be removed, and even its namespace does not exist
        return _result(parcel, method, done)
    reason, _foreign = secret_refusal(parcel.contents, code, reason)
    return _result(parcel, method, FAILED, reason=reason, temporary=code not in _PERMANENT)


def secret_refusal(manifest: Mapping[str, Any], code: int | None, reason: str) -> tuple[str, bool]:
    """Return why the API refused to apply a Secret, without its contents, and whether it is another program's Secret."""
    if "field is immutable" in reason or (code == 409 and re.search(r"\.type\b", reason)):
        target = f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
        return f"{target} is a Secret that this collection did not make; give the key another secret_name", True
    for hidden in (manifest.get("data") or {}).values():
        reason = reason.replace(hidden, "***")
    return reason, False


def _results_of_list(parcels: Sequence[Parcel], method: str, outcome: Mapping[str, Any], done: str) -> list[dict[str, Any]]:
    entries: Sequence[Mapping[str, Any]] = outcome.get("files" if method == ENV_FILE else "results") or []
    if len(entries) != len(parcels):
        return [_result(parcel, method, FAILED, reason=_failure_text(outcome), temporary=True) for parcel in parcels]
    return [
        _result(parcel, method, FAILED, reason=str(entry.get("reason") or _failure_text(entry)), temporary=True)
        if entry.get("failed") or entry.get("unreachable")
        else _result(parcel, method, done, changed=bool(entry.get("changed")))
        for parcel, entry in zip(parcels, entries, strict=True)
    ]


def _status(error: str) -> tuple[int | None, str]:
    """Return code and message of the Kubernetes Status that an error of kubernetes.core quotes, else None and the error."""
    found = re.search(r"\{.*\}", error, re.DOTALL)
    for text in (found[0], found[0].replace("\\\\", "\\").replace("\\'", "'")) if found else ():
        try:
            status = json.loads(text)
            return int(status["code"]), str(status["message"])
        except (ValueError, KeyError, TypeError):
            continue
    return None, error


def _failure_text(outcome: Mapping[str, Any]) -> str:
    return str(outcome.get("msg") or outcome.get("module_stderr") or "the task did not say what became of it")


def _result(parcel: Parcel, method: str, status: str, *, changed: bool = False, reason: str = "", temporary: bool = False) -> dict[str, Any]:
    return {
        "alias": parcel.alias,
        "user": parcel.user,
        "email": parcel.email,
        "request_id": parcel.request_id,
        "kind": str(parcel.contents.get("kind") or "") if method == MAIL else "",
        "method": method,
        "target": parcel.target,
        "status": status,
        "changed": changed,
        "reason": printable(redact(reason), 400),
        "temporary": temporary,
    }


def settings_from(options: Mapping[str, Any]) -> DeliverySettings:
    """Return the settings. Raises ValueError for an unknown name."""
    unknown = set(options) - {item.name for item in fields(DeliverySettings)}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is not a setting of a delivery.")
    return DeliverySettings(**options)
