# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Secrets of Kubernetes that hold the keys of requests: apply them, find them, and remove them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from ...module_utils.common import durations
from ...module_utils.common.printable import printable, quoted
from ...module_utils.key_requests.errors import NoAccess
from ...module_utils.key_requests.kubernetes_secrets import KUBERNETES_ERROR, Access, configure
from ..delivery import LONGEST_SLUG, MANAGER, PREFIX, SECRET_LABELS, SECRET_TYPE, secret_refusal, slug
from .post import PostResult

try:
    import kubernetes
    import urllib3
except ImportError:
    pass  # KUBERNETES_ERROR tells

TIMEOUT = 30
"""Seconds that one exchange with the Kubernetes API may take."""
PAGE = 500
_SETTINGS = ("kubeconfig", "context", "host", "api_key", "ca_cert", "validate_certs")
_ALIASES = {"verify_ssl": "validate_certs", "ssl_ca_cert": "ca_cert"}
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_SELECTOR = ",".join([*(f"{name}={value}" for name, value in SECRET_LABELS.items()), f"{PREFIX}request"])
_GONE = 404


class SecretsUnknown(Exception):
    """The Secrets cannot be listed. The message says why."""


@dataclass(frozen=True)
class KeySecret:
    """A Secret with the key of a request, as a pass applied it, without its data.

    `expires` is a time or `never`, and empty if somebody wrote something else there.
    """

    namespace: str
    name: str
    request_id: str
    alias: str
    key_id: str
    expires: str
    uid: str = ""
    version: str = ""

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.name}"


class SecretKeeper(Protocol):
    """Applies, finds and removes Secrets."""

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        """Apply Secrets and return the results in the same order."""

    def find(self, namespace: str) -> list[KeySecret]:
        """Return the Secrets of requests in a namespace that passes applied. Raises SecretsUnknown."""

    def remove(self, secrets: Sequence[KeySecret]) -> list[PostResult]:
        """Remove Secrets that did not change since they were found, and return the results in the same order."""


class NoSecrets:
    """Stands for Kubernetes where no key is delivered there."""

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        raise AssertionError("no key is delivered as a Secret")

    def find(self, namespace: str) -> list[KeySecret]:
        return []

    def remove(self, secrets: Sequence[KeySecret]) -> list[PostResult]:
        return []


class KubernetesSecrets:
    """Works on Secrets by server-side apply, as the role `key_delivery` does, so that other programs' Secrets are never taken over."""

    def __init__(self, connection: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> None:
        """`connection` holds options of kubernetes.core. Raises ValueError for one that is not known here, and StoreError."""
        if KUBERNETES_ERROR is not None:
            raise NoAccess("The Python library kubernetes is missing where Ansible runs; install it, or deliver by another method.")
        given = {_ALIASES.get(name, name): value for name, value in connection.items() if value not in (None, "")}
        unknown = sorted(set(given) - set(_SETTINGS))
        if unknown:
            raise ValueError(f"key_delivery_kubernetes_connection names {quoted(unknown[0], 40)}; a pass knows {', '.join(_SETTINGS)}.")
        configuration, _namespace = configure(Access(**given))
        self._api = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration))
        # Lists of metadata only: the data of Secrets, which are keys, are not asked for.
        lists = kubernetes.client.ApiClient(configuration)
        lists.set_default_header("Accept", _METADATA_ONLY)
        self._lists = kubernetes.client.CoreV1Api(lists)
        self._dry_run = ["All"] if dry_run else None
        self._apply_options = {"field_manager": MANAGER, "force": force, "_content_type": "application/apply-patch+yaml"} | (
            {"dry_run": "All"} if dry_run else {}
        )

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        return [self._apply(manifest) for manifest in manifests]

    def find(self, namespace: str) -> list[KeySecret]:
        found: list[KeySecret] = []
        more = ""
        while True:
            page = self._page(namespace, more)
            found += [secret for item in page["items"] or () if (secret := _key_secret(item["metadata"]))]
            more = page["metadata"].get("continue") or ""
            if not more:
                return found

    def remove(self, secrets: Sequence[KeySecret]) -> list[PostResult]:
        return [self._remove(secret) for secret in secrets]

    def _apply(self, manifest: Mapping[str, Any]) -> PostResult:
        def refused(error: Any) -> PostResult:
            reason, foreign = secret_refusal(manifest, error.status, _words(error))
            return PostResult(False, printable(reason, 300), final=foreign or error.status == 422)

        place = (manifest["metadata"]["name"], manifest["metadata"]["namespace"])
        return self._done(lambda: self._api.patch_namespaced_secret(*place, manifest, **self._apply_options, **_PLAIN), refused)

    def _remove(self, secret: KeySecret) -> PostResult:
        def refused(error: Any) -> PostResult:
            return PostResult(error.status == _GONE, printable(_words(error), 300))

        unchanged = kubernetes.client.V1Preconditions(uid=secret.uid, resource_version=secret.version)
        # In the body, because the API does not look at the query of a deletion that has one.
        options = kubernetes.client.V1DeleteOptions(preconditions=unchanged, dry_run=self._dry_run)
        return self._done(lambda: self._api.delete_namespaced_secret(secret.name, secret.namespace, body=options, **_PLAIN), refused)

    def _done(self, call: Callable[[], Any], refused: Callable[[Any], PostResult]) -> PostResult:
        """Make one call and return its result; `refused` returns that of a call that the API refused."""
        try:
            call()
        except kubernetes.client.ApiException as error:
            return refused(error)
        except urllib3.exceptions.HTTPError as error:
            return PostResult(False, _no_answer(error))
        return PostResult(True)

    def _page(self, namespace: str, more: str) -> dict[str, Any]:
        """Return one page of the metadata of Secrets."""
        query: dict[str, Any] = {"label_selector": _SELECTOR, "field_selector": f"type={SECRET_TYPE}", "limit": PAGE}
        try:
            answer = self._lists.list_namespaced_secret(namespace, **query, **({"_continue": more} if more else {}), **_PLAIN)
            page: dict[str, Any] = json.loads(answer.data)
        except kubernetes.client.ApiException as error:
            raise SecretsUnknown(printable(_words(error), 300)) from None
        except urllib3.exceptions.HTTPError as error:
            raise SecretsUnknown(_no_answer(error)) from None
        except ValueError:
            raise SecretsUnknown("the answer is not the Kubernetes API's") from None
        return page


_PLAIN: dict[str, Any] = {"_preload_content": False, "_request_timeout": (TIMEOUT, TIMEOUT)}


def _key_secret(metadata: Mapping[str, Any]) -> KeySecret | None:
    """Return the Secret with this metadata, or None if no pass applied it, whatever its labels say.

    Its name, which nobody can change, must be that for its alias: a changed alias must not bring another key into it.
    """
    applied = any(entry.get("manager") == MANAGER and entry.get("operation") == "Apply" for entry in metadata.get("managedFields") or ())
    notes = {name.removeprefix(PREFIX): str(value) for name, value in (metadata.get("annotations") or {}).items() if name.startswith(PREFIX)}
    if not applied or not notes.get("request") or not notes.get("alias") or not metadata["name"].endswith(slug(notes["alias"], LONGEST_SLUG)):
        return None
    expires = notes.get("expires", "")
    noted = (notes["request"], notes["alias"], notes.get("key-id", ""), expires if expires == "never" or durations.is_time(expires) else "")
    return KeySecret(metadata["namespace"], metadata["name"], *noted, uid=metadata["uid"], version=metadata["resourceVersion"])


def _words(error: Any) -> str:
    """Return why the API refused a call."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(error.body or b"")["message"])
    return str(error.reason)


def _no_answer(error: Exception) -> str:
    return f"the Kubernetes API does not answer: {printable(str(getattr(error, 'reason', None) or error), 200)}"
