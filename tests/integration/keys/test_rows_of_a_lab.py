# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Which keys belong to a lab: the modules and the SQL of the last resort give one answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import psycopg
import pytest
from ansible.plugins.filter.core import regex_escape
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.api import KeyApi
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.key import Notes
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.keys.lab import Lab
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.client import Client, Connection
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.notes import NOTES_NAME
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import token

TEMPLATES = Path(__file__).parents[3] / "roles" / "ocp4_workload_litellm_virtual_keys" / "templates"


class Rows:
    """Rows of every kind, around one GUID."""

    def __init__(self, gateway: Gateway, guid: str) -> None:
        self.gateway, self.guid = gateway, guid

    def make(self, alias: str, notes: Notes | None = None, guid: str | None = None) -> None:
        value = f"sk-row-of-a-lab-{alias}"
        alias = alias.replace("TOKEN", token(value)[:12])
        metadata: dict[str, Any] = {NOTES_NAME: notes.to_metadata()} if notes else {}
        if guid is not None:
            metadata["guid"] = guid
        self.gateway.post("/key/generate", key=value, key_alias=alias, metadata=metadata)

    def make_all(self) -> None:
        guid, lab = self.guid, f"virtkey-{self.guid}"
        self.make(lab, guid=guid)
        self.make(f"{lab}-user1", Notes(lab=lab, guid=guid, user="user1", generation=2))
        self.make(f"{lab}-user1.retired-TOKEN", Notes(lab=lab, guid=guid, retired_from=f"{lab}-user1", generation=1))
        self.make(f"{lab}-user3.retired-TOKEN", guid=guid)
        self.make(f"{lab}-user4.retired-0123456789ab")
        self.make(f"{lab}-user4.retired-of-others")
        self.make(f"{lab}-user2")
        self.make(f"{lab}-admin")
        self.make(f"{lab}-robot", guid=guid)
        self.make(f"{lab}-lab7", guid=guid)
        self.make(f"class-{guid}-user1", Notes(lab=f"class-{guid}", guid=guid))
        self.make(f"{lab}-tenant", Notes(lab=f"{lab}-tenant", guid=guid))
        self.make(f"{lab}-aliased", Notes(lab=lab))
        self.make(f"{lab}-other", Notes(lab=f"{lab}-other"))
        self.make(f"req-{guid}-1", Notes(guid=guid))
        self.make(f"bot-{guid}", guid=guid)
        self.make(f"{lab}-user9", guid=f"{guid}-user9")
        self.make(f"{lab}-b-user1", Notes(lab=f"{lab}-b", guid=f"{guid}-b"))
        self.make(f"{lab}x", guid=f"{guid}x")

    def make_odd_ones(self) -> None:
        """Make rows with metadata that nobody should write."""
        guid, lab = self.guid, f"virtkey-{self.guid}"
        self.make(f"{lab}0-user1", Notes(lab=lab, guid=guid))
        self.make(f"{lab}-user30", Notes(lab="virtkey-other", guid="other", generation=3))
        self.make(f"{lab}-user32", Notes(lab="virtkey-zzz"))
        self.make(f"{lab}-ada", Notes(lab="virtkey-zzz"))
        self.make(f"{lab}-user31", Notes(lab="virtkey-other", guid=guid[:-1]))
        odd: list[dict[str, Any]] = [{"guid": value} for value in (["x"], 7, None, "", {"a": 1}, "other", guid[:-1])]
        noted = ["text", [], None, {"guid": guid}, {"format": 7, "guid": "zzz"}, {"format": 1}, {"format": 1, "guid": "", "lab": lab}]
        noted += [{"format": 1, "guid": guid, "generation": value} for value in ("x", -1, 1.5, 10**9, 10**12, True, None, [1])]
        noted += [{"format": 1, "guid": guid, "retired_from": value} for value in ("virtkey-somebody", "", None, [1])]
        for number, metadata in enumerate([*odd, *({NOTES_NAME: each} for each in noted)], start=40):
            alias = f"{lab}-user{number}"
            self.gateway.post("/key/generate", key=f"sk-row-of-a-lab-{alias}", key_alias=alias, metadata=metadata)

    def statement(self, name: str, lab: Lab) -> str:
        environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined)
        environment.filters["regex_escape"] = regex_escape
        settings = {"guid": lab.guid, "alias": lab.alias, "lab_alias": "" if lab.is_canonical else lab.alias, "user_base": lab.user_base}
        return environment.get_template(name).render(__ocp4_workload_litellm_virtual_keys_settings=settings)

    def deleted_by_sql(self, lab: Lab) -> set[tuple[str, int]]:
        """Return alias and generation of each row that the statement deletes, and take the deletion back."""
        with psycopg.connect(self.gateway.database_url) as connection:
            found = connection.execute(self.statement("delete_keys.sql.j2", lab)).fetchone()
            connection.rollback()
        assert found is not None
        return {(row["alias"], row["generation"]) for row in found[0]}


@pytest.fixture
def rows(gateway: Gateway, unique: str) -> Iterator[Rows]:
    rows = Rows(gateway, unique)
    rows.make_all()
    yield rows
    gateway.post("/key/delete", keys=[row["token"] for row in gateway.keys_with(unique)])


@pytest.mark.parametrize(
    ("lab_alias", "user_base", "count"),
    [("", "user", 11), ("", "lab", 9), ("class-GUID", "user", 4), ("virtkey-GUID-tenant", "user", 4)],
)
def test_modules_and_sql_agree(rows: Rows, gateway: Gateway, lab_alias: str, user_base: str, count: int) -> None:
    lab = Lab.from_params({"guid": rows.guid, "lab_alias": lab_alias.replace("GUID", rows.guid), "user_base": user_base})
    api = KeyApi(Client(Connection(url=gateway.url, api_key=gateway.master_key)))
    by_modules = {(row.served_alias, row.generation) for row in lab.rows(api)}
    assert by_modules == rows.deleted_by_sql(lab)
    assert len(by_modules) == count, sorted(by_modules)


def test_modules_and_sql_agree_on_odd_rows(rows: Rows, gateway: Gateway) -> None:
    rows.make_odd_ones()
    lab = Lab.from_params({"guid": rows.guid})
    api = KeyApi(Client(Connection(url=gateway.url, api_key=gateway.master_key)))
    by_modules = {(row.served_alias, row.generation) for row in lab.rows(api)}
    assert by_modules == rows.deleted_by_sql(lab)
    odd = (30, 31, 32, *range(40, 66))
    assert {alias for alias, _generation in by_modules} >= {f"virtkey-{rows.guid}-user{number}" for number in odd}


def test_keys_that_sql_deletes_are_remembered(rows: Rows, gateway: Gateway) -> None:
    lab = Lab.from_params({"guid": rows.guid})
    api = KeyApi(Client(Connection(url=gateway.url, api_key=gateway.master_key)))
    living = lab.rows(api)
    with psycopg.connect(gateway.database_url) as connection:
        connection.execute(rows.statement("keep_deleted_keys.sql.j2", lab))
        connection.execute(rows.statement("delete_keys.sql.j2", lab))
    assert not lab.rows(api)
    remembered = {(row.token, row.served_alias, row.generation) for row in lab.deleted_rows(api, living)}
    assert remembered == {(row.token, row.served_alias, row.generation) for row in living}
