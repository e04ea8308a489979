# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The keys of one lab, reconciled over HTTP with a model of LiteLLM that fails on request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import WantedKey
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.lab import Lab
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.plan import Policy
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.reconcile import Reconciler
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.results import KeyOutcome
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import MASTER_KEY
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import ServedModel

SECRET = "the secret of these tests"
LAB = Lab(guid="abc", alias="virtkey-abc")
EXACT = Policy(prune=True)
PRESENT = Policy()
BROKEN = Reply(status=500, json={"error": {"message": "Internal Server Error.", "type": "internal_server_error"}})
AWAY = Reply(status=500, json={"error": {"message": "Can't reach database server at `127.0.0.1:5432`"}})
LOST = Reply(reset=True)


def is_for(*users: str) -> Any:
    """Return a condition for faults: the request creates a key of one of these users."""
    aliases = {names.user_alias(LAB.alias, user) for user in users}
    return lambda request: request.body.get("key_alias") in aliases


def reconciler(served: ServedModel, *, check_mode: bool = False, key: str = MASTER_KEY, retries: int = 1, secret: str = SECRET) -> Reconciler:
    """Return a reconciler that never sleeps: a wait only moves the clock of the model."""
    client = Client(Connection(url=served.url, api_key=key, retries=retries, retry_delay=0), sleep=served.model.pass_time, clock=served.model.now_in_seconds)
    return Reconciler(KeyApi(client), secret, check_mode=check_mode)


def wanted_keys(*users: str, **options: Any) -> list[WantedKey]:
    """Return a wanted key for each user; they may use granite unless `fields` are given."""
    options.setdefault("fields", {"models": ["granite"]})
    return [WantedKey(names.user_alias(LAB.alias, user), lab=LAB.alias, guid=LAB.guid, user=user, **options) for user in users]


def apply(served: ServedModel, wanted: Sequence[WantedKey], policy: Policy = PRESENT, **options: Any) -> KeyOutcome:
    """Reconcile `wanted`. Options that `Reconciler.apply` does not take go to `reconciler`."""
    how = {name: options.pop(name) for name in ("check_models", "keep_going", "proof") if name in options}
    return reconciler(served, **options).apply(wanted, LAB.scope(wanted), policy, **how)


def destroy(served: ServedModel, **options: Any) -> KeyOutcome:
    """Delete all keys of the lab. Options that `Reconciler.delete` does not take go to `reconciler`."""
    how = {name: options.pop(name) for name in ("proof", "deleted_elsewhere") if name in options}
    worker = reconciler(served, **options)
    return worker.delete(lambda: LAB.to_delete(worker.api, None, worker.value_of), find_deleted=lambda: LAB.deleted_rows(worker.api, ()), **how)


def actions_of(outcome: KeyOutcome) -> dict[str, str]:
    """Return the action taken for each alias, by its user."""
    entries = outcome.to_result()["virtual_keys"]
    return {entry["alias"].removeprefix("virtkey-abc-"): entry["action"] for entry in entries}


def user_names(count: int) -> list[str]:
    """Return user1, user2, ..."""
    return [f"user{number}" for number in range(1, count + 1)]


def works(served: ServedModel, user: str, generation: int = 0) -> bool:
    """Return whether the gateway accepts the derived value of the user's key."""
    return served.model.works(derive.value(SECRET, names.user_alias(LAB.alias, user), generation))
