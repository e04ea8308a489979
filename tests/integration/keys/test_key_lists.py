# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The lists of living and deleted keys of the real gateway."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import Notes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import Live


@pytest.fixture
def api(live: Live) -> KeyApi:
    return KeyApi(Client(Connection(url=live.url, api_key=live.gateway.master_key)))


def read_tokens(api: KeyApi) -> list[str]:
    rows = api.keys()
    return [row.token for row in rows]


def make(live: Live, user: str, generation: int) -> str:
    """Make a key with notes, as the collection makes them, and return its token."""
    notes = Notes(lab=live.alias(), guid=live.name, user=user, generation=generation)
    made = live.gateway.post(
        "/key/generate",
        key=f"sk-{live.name}-{user}-{generation}-0123456789",
        key_alias=live.alias(user),
        metadata={"a": 1, NOTES_NAME: notes.to_metadata()},
        max_budget=2.5,
        duration="1h",
    )
    return str(made["token"])


def test_deleted_keys_keep_their_notes(live: Live, api: KeyApi) -> None:
    """The value of user1 is deleted twice, and each deletion leaves a row."""
    aliases = [live.alias("user1"), live.alias("user2")]
    assert api.deleted_keys_like(live.alias(), aliases=aliases) == []
    tokens = [make(live, "user1", 3), make(live, "user2", 0)]
    assert sorted(row.alias for row in api.keys_like(live.alias())) == aliases
    live.gateway.post("/key/delete", keys=tokens)
    assert make(live, "user1", 3) == tokens[0]
    live.gateway.post("/key/delete", keys=tokens[:1])
    assert api.keys_like(live.alias()) == []
    deleted = api.deleted_keys_like(live.alias(), aliases=aliases)
    assert deleted is not None and sorted((row.alias, row.token, row.generation) for row in deleted) == sorted(
        [(aliases[0], tokens[0], 3), (aliases[0], tokens[0], 3), (aliases[1], tokens[1], 0)]
    )
    for row in deleted:
        assert row.guid == live.name and row.metadata["a"] == 1 and row.fields["max_budget"] == 2.5 and row.expires and row.created_at


def test_no_deleted_keys_of_others(live: Live, api: KeyApi) -> None:
    live.gateway.post("/key/delete", keys=[make(live, "user1", 0)])
    other = live.alias("user2")
    assert api.deleted_keys_like(other, aliases=[other]) == []


def test_no_key_is_missed_while_others_make_and_delete_keys(live: Live, api: KeyApi) -> None:
    """Two writers make and delete keys all the time, the newest first, and each of several readings of all pages has all lasting keys."""
    made = [live.gateway.post("/key/generate", key_alias=f"{live.name}-lasting-{number}")["token"] for number in range(320)]
    stop = threading.Event()
    counts = [0, 0]

    def write(writer: int) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {live.gateway.master_key}"
            while not stop.is_set():
                counts[writer] += 1
                body = {"key_alias": f"{live.name}-passing-{writer}-{counts[writer]}"}
                token = session.post(f"{live.url}/key/generate", json=body, timeout=30).json()["token"]
                session.post(f"{live.url}/key/delete", json={"keys": [token]}, timeout=30)

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, writer) for writer in range(2)]
        try:
            readings = [read_tokens(api) for _time in range(12)]
        finally:
            stop.set()
        for writer in writers:
            writer.result()
    assert min(counts) > 5
    for number, tokens in enumerate(readings):
        assert len(set(tokens)) == len(tokens), f"reading {number} has a key twice"
        assert set(made) <= set(tokens), f"reading {number} misses {len(set(made) - set(tokens))} keys"
