# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How the answers of a pass reach people: mails, webhooks, and Secrets in Kubernetes. Every result says whether trying again can help."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...module_utils.common.printable import printable
from ...module_utils.delivery import mail, outbox, smtp, webhooks
from ...module_utils.delivery.mailer import mailer_from
from ...module_utils.key_requests.errors import NoAccess
from ...module_utils.key_requests.kubernetes_secrets import KUBERNETES_ERROR, Access, configure
from ..delivery import secret_refusal

try:
    import kubernetes
    import urllib3
except ImportError:
    pass  # KUBERNETES_ERROR tells

TIMEOUT = 30
"""Seconds that one exchange with the Kubernetes API may take."""
_SETTINGS = ("kubeconfig", "context", "host", "api_key", "ca_cert", "validate_certs")


@dataclass(frozen=True)
class PostResult:
    """The result of one delivery. `final`: the receiving side will never take it, so that trying again is of no use."""

    delivered: bool
    reason: str = ""
    final: bool = False


class MailSender(Protocol):
    """Sends mails."""

    def send(self, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        """Send mails, each in the words of the module `key_mail`, and return their results in the same order."""


class ChannelPoster(Protocol):
    """Posts notices to channels, such as one in a chat."""

    def channels(self, kind: str) -> list[str]:
        """Return the names of the channels that take notices of this kind."""

    def post(self, channel: str, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        """Post notices, each in the words of the module `key_mail`, and return their results in the same order."""


class SecretWriter(Protocol):
    """Writes Secrets."""

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        """Apply Secrets and return the results in the same order."""


class SmtpMailer:
    """Sends mails as the module `key_mail` does. `settings` are that module's options."""

    def __init__(self, settings: Mapping[str, Any], *, dry_run: bool = False) -> None:
        """Raises ValueError for settings that cannot work."""
        self._mailer = mailer_from(settings)
        self._dry_run = dry_run
        self.warnings = outbox.warnings_about(self._mailer.server)

    def send(self, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        notices: dict[int, mail.Notice] = {}
        results: dict[int, PostResult] = {}
        for number, message in enumerate(messages):
            try:
                notices[number] = self._mailer.notice(message)
            except (TypeError, ValueError) as error:
                results[number] = PostResult(False, printable(str(error)), final=True)
        sent = self._mailer.send(list(notices.values()), dry_run=self._dry_run) if notices else []
        results |= {number: _post_result(result.outcome) for number, result in zip(notices, sent, strict=True)}
        return [results[number] for number in range(len(messages))]


def _post_result(outcome: smtp.SendOutcome) -> PostResult:
    delivered = outcome.status in (smtp.SENT, outbox.PLANNED)
    return PostResult(delivered, outcome.reason, final=not delivered and not outcome.temporary)


class Webhooks:
    """Posts notices to webhooks as the module `key_webhook` does. `targets` are that module's."""

    def __init__(self, targets: Sequence[Mapping[str, Any]], language: str, *, dry_run: bool = False) -> None:
        """Raises ValueError for a target that cannot be used."""
        self._targets = {target.name: target for target in map(webhooks.target_from, targets)}
        if len(self._targets) < len(targets):
            raise ValueError("two webhooks have the same name; give each a name of its own.")
        self._language = language
        self._dry_run = dry_run

    def channels(self, kind: str) -> list[str]:
        return [name for name, target in self._targets.items() if kind in target.kinds]

    def post(self, channel: str, messages: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        notices = [outbox.notice_from({**message, "to": ""}, self._language) for message in messages]
        results = webhooks.send_webhooks([self._targets[channel]], notices, dry_run=self._dry_run)
        return [_post_result(result.outcome) for result in results]


class KubernetesSecrets:
    """Applies Secrets on the server, as the role `key_delivery` does, so that other programs' Secrets are never taken over."""

    def __init__(self, connection: Mapping[str, Any], *, manager: str, force: bool = False, dry_run: bool = False) -> None:
        """`connection` holds options of kubernetes.core. Raises ValueError for one that is not known here, and StoreError."""
        if KUBERNETES_ERROR is not None:
            raise NoAccess("The Python library kubernetes is missing where Ansible runs; install it, or deliver by another method.")
        given = {_ALIASES.get(name, name): value for name, value in connection.items() if value not in (None, "")}
        unknown = sorted(set(given) - set(_SETTINGS))
        if unknown:
            raise ValueError(f"key_delivery_kubernetes_connection names {printable(unknown[0], 40)!r}; a pass knows {', '.join(_SETTINGS)}.")
        configuration, _namespace = configure(Access(**given))
        self._api = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration))
        self._options: dict[str, Any] = {"field_manager": manager, "force": force, **({"dry_run": "All"} if dry_run else {})}

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> list[PostResult]:
        return [self._apply(manifest) for manifest in manifests]

    def _apply(self, manifest: Mapping[str, Any]) -> PostResult:
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        try:
            self._api.patch_namespaced_secret(
                name,
                namespace,
                manifest,
                **self._options,
                _content_type="application/apply-patch+yaml",
                _preload_content=False,
                _request_timeout=(TIMEOUT, TIMEOUT),
            )
        except kubernetes.client.ApiException as error:
            return PostResult(False, *_refusal(error, manifest))
        except urllib3.exceptions.HTTPError as error:
            return PostResult(False, f"the Kubernetes API does not answer: {printable(str(getattr(error, 'reason', None) or error), 200)}")
        return PostResult(True)


_ALIASES = {"verify_ssl": "validate_certs", "ssl_ca_cert": "ca_cert"}


def _refusal(error: Any, manifest: Mapping[str, Any]) -> tuple[str, bool]:
    """Return why the API refused a Secret, without its contents, and whether it always will."""
    try:
        words = str(json.loads(error.body or b"")["message"])
    except (ValueError, KeyError, TypeError):
        words = str(error.reason)
    reason, foreign = secret_refusal(manifest, error.status, words)
    return printable(reason, 300), foreign or error.status == 422
