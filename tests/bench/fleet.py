# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A fleet of labs, written to the gateway's database directly, with derived values as if the collection had created every key."""

from __future__ import annotations

import random

import psycopg
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.common import names
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys import derive
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench import stock
from ansible_collections.rhpds.litellm_virtual_keys.tests.bench.bench import Bench

PATTERN = "fleetpattern"
_ROWS = "CREATE TEMPORARY TABLE made_key (token text, alias text, guid text, lab text, username text, hours integer)"
_COPY = """
    INSERT INTO "LiteLLM_VerificationToken"
    SELECT (jsonb_populate_record(pattern, jsonb_build_object(
        'token', made.token,
        'key_alias', made.alias,
        'user_id', made.username || '@' || made.guid || '.example.com',
        'created_at', now() - interval '30 days',
        'expires', now() + made.hours * interval '1 hour',
        'metadata', pattern.metadata || jsonb_build_object(
            'owner', 'owner@' || made.guid || '.example.com',
            'litellm_virtual_keys', pattern.metadata -> 'litellm_virtual_keys'
                || jsonb_build_object('guid', made.guid, 'lab', made.lab, 'user', made.username))))).*
    FROM "LiteLLM_VerificationToken" AS pattern, made_key AS made
    WHERE pattern.key_alias = %s
"""
_ORPHANED = """
    UPDATE "LiteLLM_VerificationToken"
    SET blocked = true, metadata = metadata || '{"litellm_virtual_keys_orphan": {"since": "2026-01-01T00:00:00Z"}}'
    WHERE metadata -> 'litellm_virtual_keys' ->> 'guid' = ANY(%s)
"""


def guids_of_fleet(labs: int) -> list[str]:
    """Return GUIDs like real ones, of five letters and digits. They are the same in every run."""
    dice = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < labs:
        found["".join(dice.choices("bcdfghjklmnpqrstvwxz23456789", k=5))] = None
    return list(found)


def fill(bench: Bench, labs: int, users: int) -> list[str]:
    """Have `labs` labs of `users` users in the gateway, and no other. The GUIDs. The ends of their keys lie in the next 30 days."""
    stock.remove(bench.gateway.database_url, names.ALIAS_PREFIX)
    bench.play("provision", {"guid": PATTERN, "num_users": 1, "output_dir": str(bench.directory / PATTERN)})
    guids, secret = guids_of_fleet(labs), bench.gateway.master_key
    with psycopg.connect(bench.gateway.database_url, autocommit=True) as database:
        database.execute(_ROWS)
        with database.cursor().copy("COPY made_key FROM STDIN") as copy:
            for number, guid in enumerate(guids):
                lab = names.lab_alias(guid)
                for user in [f"user{each}" for each in range(1, users + 1)] if users > 1 else [""]:
                    alias = names.user_alias(lab, user)
                    copy.write_row((derive.token(derive.value(secret, alias)), alias, guid, lab, user, number % 720 + 1))
        database.execute(_COPY, (names.lab_alias(PATTERN),))
        database.execute('VACUUM ANALYZE "LiteLLM_VerificationToken"')
    stock.remove(bench.gateway.database_url, names.lab_alias(PATTERN))
    return guids


def orphan(bench: Bench, guids: list[str]) -> None:
    """Have the keys of these labs as a reaper left them whose grace period is over."""
    with psycopg.connect(bench.gateway.database_url, autocommit=True) as database:
        database.execute(_ORPHANED, (guids,))


def remove(bench: Bench) -> None:
    stock.remove(bench.gateway.database_url, names.ALIAS_PREFIX)
