# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Requests as Secrets in a namespace of Kubernetes, with the layout that `secret` defines.

Who submits needs the verbs get, create and patch on secrets in the namespace, who decides get, list and patch. Passes need
these three, and get, create and patch on leases. Removing and erasing take create and delete too. The role `key_requests` gives these rights.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common import email_address
from . import lease, secret
from .base import Listing, SetAside, Store, Turn, oldest_first
from .box_secrets import KubernetesBoxes
from .errors import (
    Broken,
    Conflict,
    Exists,
    Forbidden,
    Missing,
    NoAccess,
    NoNamespace,
    StoreError,
    StoreRejected,
    StoreTlsFailed,
    StoreUnauthorized,
    StoreUnreachable,
)
from .record import Record, same_wish
from .text import clip

try:
    import kubernetes
    import urllib3
    import yaml

    KUBERNETES_ERROR: ImportError | None = None
except ImportError as error:
    KUBERNETES_ERROR = error

PAGE = 250
RETRIES = 3
FIRST_RETRY_SECONDS = 0.2
SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
GONE = 410  # HTTP status

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Access:
    """How to reach the API. Settings that are None come from the kubeconfig, or from the pod's service account."""

    namespace: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    host: str | None = None
    api_key: str | None = None
    ca_cert: str | None = None
    validate_certs: bool | None = None
    timeout: float = 30
    """Seconds that one exchange may take."""


class KubernetesStore(Store):
    """A store in a namespace of Kubernetes."""

    parallel = 8

    def __init__(self, access: Access, *, check_mode: bool = False, remember: bool = False) -> None:
        super().__init__(check_mode=check_mode, remember=remember)
        configuration, namespace = configure(access)
        configuration.connection_pool_maxsize = self.parallel
        # Every call of this store is safe to repeat: a second create finds the first, and a second patch names a version
        # that no longer exists, whereupon the record is read again.
        configuration.retries = urllib3.Retry(
            total=RETRIES,
            backoff_factor=FIRST_RETRY_SECONDS,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
        )
        self.namespace = namespace
        self.host = str(configuration.host)
        self.timeout = access.timeout
        client = kubernetes.client.ApiClient(configuration)
        self._api = kubernetes.client.CoreV1Api(client)
        self._leases = kubernetes.client.CoordinationV1Api(client)
        self.boxes = KubernetesBoxes(self._call, self._list, self._api, namespace, check_mode=check_mode)

    @property
    def place(self) -> str:
        return f"the namespace {self.namespace}"

    def listing(self, states: Sequence[str] | None = None, *, only_open: bool = False) -> Listing:
        if only_open:
            selectors: Sequence[str] = secret.OPEN
        else:
            selectors = (secret.ALL,) if states is None else (secret.in_states(tuple(states)),)
        found: dict[str, Record] = {}
        broken: dict[str, SetAside] = {}
        before, self._remembered = self._remembered, {}
        for selector in selectors:
            for item in self._list(selector):
                name, version = item["metadata"]["name"], item["metadata"].get("resourceVersion")
                try:
                    record = before[name][1] if name in before and before[name][0] == version else self._load(item)
                except Broken as error:
                    broken[name] = SetAside(name, str(error))
                    continue
                if self._remember and version:
                    self._remembered[name] = (version, record)
                if (states is None or record.state in states) and (record.open or not only_open):
                    found[name] = record
        if not found and not broken:
            self._check_namespace()
        return Listing(oldest_first(found.values()), tuple(broken[name] for name in sorted(broken)))

    def find(self, wish: Record) -> Record | None:
        found = super().find(wish)
        if found is not None:
            return found
        # The LLM Key Requestor draws ids at random. Few clusters have such requests, so this list is short.
        try:
            foreign = self._list(secret.FOREIGN)
        except Forbidden:
            return None  # who may only submit cannot look for them
        for item in foreign:
            try:
                record = self._load(item)
            except Broken:
                if _email_of(item) == email_address.ascii_lower(wish.email):
                    raise  # it may ask for the same, and a second request would be a second key
                continue
            if same_wish(record, wish):
                return record
        return None

    def _turn(self, patience: float) -> AbstractContextManager[Turn]:
        return lease.hold(self._call_lease, self.place, patience)

    def last_pass(self) -> dict[str, Any] | None:
        return lease.last_pass(self._call_lease)

    def _publish(self, name: str, text: bytes) -> None:
        body = lease.published_lease(name, text)
        try:
            self._call_lease("patch", body, lease.PUBLISHED + name)
        except Missing:
            with suppress(Exists):  # of another program that published the same at the same moment
                self._call_lease("create", body)

    def _published(self, name: str) -> bytes | None:
        try:
            return lease.published_text(self._call_lease("get", None, lease.PUBLISHED + name))
        except Missing:
            return None

    def _call_lease(self, verb: str, body: Mapping[str, Any] | None, name: str = lease.NAME) -> dict[str, Any]:
        names = () if verb == "create" else (name,)
        bodies = () if body is None else (body,)
        options = {} if verb == "get" else {"field_manager": secret.MANAGED_BY_VALUE}
        method = {
            "get": self._leases.read_namespaced_lease,
            "create": self._leases.create_namespaced_lease,
            "patch": self._leases.patch_namespaced_lease,
        }[verb]
        answer: dict[str, Any] = self._call(verb, method, *names, self.namespace, *bodies, resource="leases", **options)
        return answer

    def _read(self, request_id: str) -> Record | None:
        try:
            return self._load(self._call("get", self._api.read_namespaced_secret, secret.name_of(request_id), self.namespace))
        except Missing:
            return None

    def _create(self, record: Record) -> Record:
        body = secret.new_secret(record, self.namespace)
        make = self._api.create_namespaced_secret
        return self._load(self._call("create", make, self.namespace, body, field_manager=secret.MANAGED_BY_VALUE))

    def _replace(self, record: Record) -> Record:
        name, body = secret.name_of(record.id), secret.secret_patch(record)
        patch = self._api.patch_namespaced_secret
        return self._load(self._call("patch", patch, name, self.namespace, body, field_manager=secret.MANAGED_BY_VALUE))

    def _remove(self, record: Record) -> None:
        options = kubernetes.client.V1DeleteOptions(preconditions=kubernetes.client.V1Preconditions(resource_version=record.version))
        with suppress(Missing):
            self._call("delete", self._api.delete_namespaced_secret, secret.name_of(record.id), self.namespace, body=options)

    def _load(self, item: Mapping[str, Any]) -> Record:
        try:
            return secret.parse_secret(item)
        except (ValueError, OverflowError, RecursionError) as error:
            name = item["metadata"]["name"]
            raise Broken(f"Secret {name} in {self.place} is set aside, because {clip(str(error), 500)}") from None

    def _list(self, selector: str) -> list[dict[str, Any]]:
        for last_try in (False, True):
            items: list[dict[str, Any]] = []
            more = None
            while True:
                # Without pages the second time, because the API drops the position in a listing after some minutes.
                paging: dict[str, Any] = {} if last_try else {"limit": PAGE, **({"_continue": more} if more else {})}
                try:
                    page = self._call("list", self._api.list_namespaced_secret, self.namespace, label_selector=selector, **paging)
                except _Expired:
                    break
                items += page["items"]
                more = page["metadata"].get("continue")
                if not more:
                    return items
        raise StoreUnreachable(f"The Kubernetes API at {self.host} lost its place in the listing; try again.")

    def _check_namespace(self) -> None:
        """Raise NoNamespace if the namespace is missing and the account may see that; the API lists it as an empty one."""
        try:
            self._call("get", self._api.read_namespace, self.namespace)
        except Missing:
            raise self._no_namespace() from None
        except Forbidden:
            pass

    def _call(self, verb: str, method: Callable[..., Any], *arguments: Any, resource: str = "secrets", **options: Any) -> Any:
        """Make one call and return its answer as JSON. Raises the StoreError that fits."""
        try:
            response = method(*arguments, **options, _preload_content=False, _request_timeout=(self.timeout, self.timeout))
            status, body = response.status, response.data
        except kubernetes.client.ApiException as error:
            if not error.status:
                raise self._unreachable(error.reason or error) from None
            status, body = error.status, error.body or b""
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(getattr(error, "reason", None) or error) from None
        except (kubernetes.config.ConfigException, OSError) as error:
            raise NoAccess(f"The credentials for the Kubernetes API cannot be read: {clip(str(error), 300)}.") from None
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not 200 <= status < 300:
            raise self._error(verb, resource, status, answer if isinstance(answer, dict) else {})
        if not _is_answer(answer, verb):
            raise self._foreign()
        return answer

    def _foreign(self) -> StoreError:
        return StoreUnreachable(f"{self.host} gave an answer that is not the Kubernetes API's; check the address, and what is between.")

    def _error(self, verb: str, resource: str, status: int, answer: Mapping[str, Any]) -> StoreError:
        words = clip(str(answer.get("message", "")), 300) or f"HTTP status {status}"
        reason = answer.get("reason")
        kind = _part(answer, "details").get("kind")
        if status == 401:
            return StoreUnauthorized(f"The Kubernetes API at {self.host} does not accept the token or certificate, which may have expired; give a new one.")
        if status == 403 and f"cannot {verb} resource" in words:
            return Forbidden(f"The account may not {verb} {resource} in {self.place}; give its Role the verb {verb} on {resource}. ({words})")
        if status == 404 and reason != "NotFound":
            return self._foreign()
        if status == 404:
            return self._no_namespace() if kind == "namespaces" and verb != "get" else Missing(f"{self.place} has no such request.")
        if status == 409:
            return Exists(words) if reason == "AlreadyExists" else Conflict(words)
        if status == GONE:
            return _Expired(words)
        if status == 429 or status >= 500:
            return StoreUnreachable(f"The Kubernetes API at {self.host} cannot serve at the moment ({words}); try again later.")
        return StoreRejected(f"The Kubernetes API refuses to {verb} the request in {self.place}: {words}")

    def _unreachable(self, cause: object) -> StoreError:
        text = clip(str(cause), 200)
        if "certificate" in text.lower() or "ssl" in type(cause).__name__.lower():
            return StoreTlsFailed(f"The certificate of the Kubernetes API at {self.host} is not accepted ({text}); name its authority in ca_cert.")
        return StoreUnreachable(f"The Kubernetes API at {self.host} does not answer ({text}); check the address, or try again later.")

    def _no_namespace(self) -> StoreError:
        return NoNamespace(f"There is no namespace {self.namespace} at {self.host}; create it, or name another one.")


class _Expired(StoreError):
    """The API dropped the position in a listing (HTTP 410)."""


def _is_answer(answer: object, verb: str) -> bool:
    """Return whether the API can have answered this: what is between, or answers in its place, may answer anything."""
    if verb == "list":
        return isinstance(answer, dict) and isinstance(answer.get("metadata"), dict) and _are_objects(answer.get("items"))
    return isinstance(answer, dict) and (verb == "delete" or _are_objects([answer]))


def _are_objects(items: object) -> bool:
    """Return whether these are objects of the API, with a name and a version."""
    return isinstance(items, list) and all(
        isinstance(item, dict)
        and isinstance(item.get("metadata"), dict)
        and isinstance(item["metadata"].get("name"), str)
        and isinstance(item["metadata"].get("resourceVersion"), str)
        and all(isinstance(item["metadata"].get(name), (dict, type(None))) for name in ("labels", "annotations"))
        and all(isinstance(item.get(name), (dict, type(None))) for name in ("data", "spec"))
        for item in items
    )


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a mapping in an answer, or an empty one if there is something else."""
    found = answer.get(name)
    return found if isinstance(found, dict) else {}


def _email_of(item: Mapping[str, Any]) -> str:
    return email_address.ascii_lower(str((item["metadata"].get("annotations") or {}).get("email", "")))


def configure(access: Access) -> tuple[Any, str]:
    """Return the library's configuration and the namespace."""
    configuration = kubernetes.client.Configuration()
    from_config: str | None = None
    if access.host:
        configuration.host = access.host
    else:
        from_config = _load_config(access, configuration)
    if access.api_key:
        configuration.api_key = {"authorization": f"Bearer {access.api_key}"}
        configuration.refresh_api_key_hook = None  # it would restore the kubeconfig's token
    if access.ca_cert:
        configuration.ssl_ca_cert = access.ca_cert
    if access.validate_certs is not None:
        configuration.verify_ssl = access.validate_certs
    return configuration, _namespace(access.namespace, from_config)


def _load_config(access: Access, configuration: Any) -> str | None:
    """Fill `configuration` from a kubeconfig or a pod's service account, and return the namespace of the kubeconfig's context."""
    config: Any = kubernetes.config
    try:
        config.load_kube_config(config_file=access.kubeconfig, context=access.context, client_configuration=configuration)
        contexts, active = config.list_kube_config_contexts(config_file=access.kubeconfig)
        chosen = next((entry for entry in contexts if entry["name"] == access.context), active)
        namespace: str | None = chosen["context"].get("namespace")
        return namespace
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError) as error:
        problem = clip(str(error), 300).rstrip(".")
        if access.kubeconfig or access.context or os.environ.get("KUBECONFIG"):
            raise NoAccess(f"The kubeconfig cannot be used: {problem}.") from None
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        raise NoAccess(
            f"There is no way to the Kubernetes API: no kubeconfig can be used ({problem}), and this is no pod with a "
            "service account; give kubeconfig, or host and api_key."
        ) from None
    return None


def own_namespace() -> str:
    """Return the namespace that this process belongs to: that of KUBERNETES_NAMESPACE, or of the pod that it runs in, or `default`."""
    return os.environ.get("KUBERNETES_NAMESPACE") or _of_service_account() or "default"


def _namespace(given: str | None, from_config: str | None) -> str:
    name = given or os.environ.get("KUBERNETES_NAMESPACE") or from_config or own_namespace()
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(f"namespace is {clip(name, 80)!r}; a namespace has up to 63 small letters, digits and hyphens.")
    return name


def _of_service_account() -> str:
    try:
        return SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
