# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Keys written to the gateway's database directly, thousands in a second."""

from __future__ import annotations

import psycopg

KEYS_OF_A_LAB = 20
GUID = "other"

# Every column of a key that LiteLLM itself has made for this collection, with what tells one key from another replaced:
# so the rows are LiteLLM's own in whatever columns its release has.
_COPY = """
    INSERT INTO "LiteLLM_VerificationToken"
    SELECT (jsonb_populate_record(made, jsonb_build_object(
        'token', encode(sha256(convert_to('key ' || number, 'UTF8')), 'hex'),
        'key_alias', format('virtkey-%%s-%%s', guid, username),
        'user_id', format('%%s@%%s.example.com', username, guid),
        'metadata', made.metadata || jsonb_build_object(
            'guid', guid,
            'litellm_virtual_keys', made.metadata -> 'litellm_virtual_keys'
                || jsonb_build_object('guid', guid, 'lab', 'virtkey-' || guid, 'user', username))))).*
    FROM "LiteLLM_VerificationToken" AS made,
        generate_series(0, %(keys)s::integer - 1) AS number,
        LATERAL (SELECT %(guid)s || (number / %(lab)s)::text AS guid, 'user' || (number %% %(lab)s + 1)::text AS username) AS named
    WHERE made.key_alias = %(pattern)s
"""
_REMOVE = 'DELETE FROM "LiteLLM_VerificationToken" WHERE starts_with(key_alias, %s)'
_COUNT = 'SELECT count(*) FROM "LiteLLM_VerificationToken" WHERE starts_with(key_alias, %s)'


def fill(database_url: str, keys: int, pattern: str) -> None:
    """Give the gateway `keys` keys of other labs (other0, other1, ...), copies of the one whose alias is `pattern`, and no more than these."""
    values = {"keys": keys, "pattern": pattern, "lab": KEYS_OF_A_LAB, "guid": GUID}
    remove(database_url, f"virtkey-{GUID}")
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute(_COPY, values)
        database.execute('VACUUM ANALYZE "LiteLLM_VerificationToken"')
    made = count(database_url, f"virtkey-{GUID}")
    if made != keys:
        raise RuntimeError(f"{made} keys were written into the database instead of {keys}; is there a key {pattern}?")


def remove(database_url: str, prefix: str) -> None:
    """Remove the keys whose aliases begin with `prefix`."""
    with psycopg.connect(database_url, autocommit=True) as database:
        while True:
            try:
                database.execute(_REMOVE, (prefix,))
            except psycopg.errors.DeadlockDetected:  # LiteLLM was just updating what keys have spent
                continue
            return


def count(database_url: str, prefix: str) -> int:
    """Return the number of keys whose aliases begin with `prefix`."""
    with psycopg.connect(database_url) as database:
        row = database.execute(_COUNT, (prefix,)).fetchone()
    assert row is not None
    return int(row[0])
