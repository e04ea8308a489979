# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The errors of a store. Each message is one sentence for people; `code` is stable, for tests and playbooks."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class StoreError(Exception):
    """The base of all errors of this wing."""

    code = "store_error"


class Refusal(StrEnum):
    """Why a request is not changed, for programs that say it in other words."""

    STATE = "state"
    CHANGED = "changed"
    MORE = "more_than_terms"
    OWN = "own_request"
    REVIEWED = "denied_in_review"
    HAS_KEY = "has_key"
    FULL = "history_full"
    NOT_FAILED = "nothing_failed"
    NO_KEY = "no_key"
    NO_END = "no_end"
    NO_LINK = "no_link"
    TOO_SOON = "too_soon"
    ERASED = "erased"


class RequestRefused(StoreError):
    """The request is in a state that does not allow the change, for the reason `why`. `terms` are those that would be exceeded."""

    code = "refused"

    def __init__(self, message: str, why: Refusal = Refusal.STATE, *, terms: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.why, self.terms = why, tuple(terms)


class NotRecordable(StoreError):
    """The changed request would hold something that a request cannot hold."""

    code = "not_recordable"


class Missing(StoreError):
    """The request does not exist."""

    code = "missing"


class Broken(StoreError):
    """The record cannot be read, usually after a manual edit. It is set aside and never changed."""

    code = "broken"


class Exists(StoreError):
    """A record with this id already exists."""

    code = "exists"


class Conflict(StoreError):
    """Somebody else changed the record after it was read."""

    code = "conflict"


class Busy(StoreError):
    """Others kept changing or locking the record during all tries."""

    code = "busy"


class NotReadable(StoreError):
    """The directory cannot be read, or others may write to it."""

    code = "not_readable"


class NotWritable(StoreError):
    """The directory is read-only or full."""

    code = "not_writable"


class StoreUnreachable(StoreError):
    """The Kubernetes API does not answer, or answers that it cannot serve now. A later try may succeed."""

    code = "unreachable"


class StoreUnauthorized(StoreError):
    """The Kubernetes API does not accept the caller: the token is wrong or has expired."""

    code = "unauthorized"


class Forbidden(StoreError):
    """The caller lacks a right in the namespace."""

    code = "forbidden"


class StoreTlsFailed(StoreError):
    """The certificate of the Kubernetes API was not accepted."""

    code = "tls_failed"


class NoNamespace(StoreError):
    """The namespace does not exist."""

    code = "no_namespace"


class NoAccess(StoreError):
    """There is no kubeconfig and no service account, or the kubeconfig cannot be used."""

    code = "no_access"


class StoreRejected(StoreError):
    """The Kubernetes API refuses the object as it is."""

    code = "rejected"


class BoxMissing(StoreError):
    """There is no such sealed box, or a newer one has taken its place."""

    code = "box_missing"


class BoxOpened(StoreError):
    """The sealed box was opened before."""

    code = "box_opened"


class BoxExpired(StoreError):
    """The sealed box was not opened in time."""

    code = "box_expired"


class BoxRefused(StoreError):
    """Whoever wants to open the sealed box does not have its secret."""

    code = "box_refused"
