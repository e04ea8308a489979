# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What can go wrong with a store. Each message is one sentence for people; `code` is stable, for tests and playbooks."""

from __future__ import annotations


class StoreError(Exception):
    """Base of all."""

    code = "store_error"


class Refused(StoreError):
    """The record is in a state from which this is not possible."""

    code = "refused"


class Missing(StoreError):
    """There is no such request."""

    code = "missing"


class Broken(StoreError):
    """A record that cannot be read, usually edited by hand. It is set aside: never changed, never taken for something else."""

    code = "broken"


class Exists(StoreError):
    """A record with this id is there already."""

    code = "exists"


class Conflict(StoreError):
    """Somebody else changed the record since it was read."""

    code = "conflict"


class Busy(StoreError):
    """Others kept changing or locking what was wanted, for all tries."""

    code = "busy"


class NotReadable(StoreError):
    """The directory cannot be read, or others may write to it."""

    code = "not_readable"


class NotWritable(StoreError):
    """The directory is read-only or full."""

    code = "not_writable"


class Unreachable(StoreError):
    """No answer from the Kubernetes API, or one that says it cannot serve now. May pass."""

    code = "unreachable"


class Unauthorized(StoreError):
    """The Kubernetes API does not know the caller: the token is wrong or has expired."""

    code = "unauthorized"


class Forbidden(StoreError):
    """The caller lacks a right in the namespace."""

    code = "forbidden"


class TlsFailed(StoreError):
    """The certificate of the Kubernetes API was not accepted."""

    code = "tls_failed"


class NoNamespace(StoreError):
    """The namespace does not exist."""

    code = "no_namespace"


class NoAccess(StoreError):
    """No kubeconfig, no service account, or a kubeconfig that cannot be used."""

    code = "no_access"


class Rejected(StoreError):
    """The Kubernetes API refuses the object as it is."""

    code = "rejected"
