# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Restores and upgrades on a real PostgreSQL, with small programs in place of LiteLLM that migrate, serve or fail as they are told."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.commands import execute
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.files import GatewayError
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.gateway import Gateway

OLD, NEW = "20260101000000_old", "20270101000000_new"
"""Migrations, and so the ages of the software that has them."""
SERVE = """
import http.server, sys

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"db": "connected"}')

http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Ready).serve_forever()
"""
MIGRATE = """
import os, psycopg

with psycopg.connect(os.environ["DATABASE_URL"].partition("?")[0]) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS _prisma_migrations (migration_name text, finished_at timestamptz DEFAULT now(), rolled_back_at timestamptz)")
    if {name!r} not in {{row[0] for row in connection.execute("SELECT migration_name FROM _prisma_migrations")}}:
        connection.execute("INSERT INTO _prisma_migrations (migration_name) VALUES ({name!r})")
"""
FAIL = "raise SystemExit('the model map is broken')"


class SmallGateway:
    """A gateway of a real PostgreSQL and of programs that stand in for LiteLLM."""

    def __init__(self, path: Path, postgres: Path) -> None:
        self.path, self.postgres = path, postgres
        path.mkdir(mode=0o755)
        for name in ("secrets", "software"):
            (path / name).mkdir(mode=0o700)
        (path / "secrets" / "environment").write_text("{}")
        (path / "litellm.yaml").write_text("model_list: []")

    def use(self, name: str, *migrations: str, program: str) -> None:
        """Configure the gateway with software that has these migrations."""
        software = self.path / "software" / name
        if not software.exists():
            (software / "bin").mkdir(parents=True)
            (software / "bin" / "serve_litellm.py").write_text(program)
            (software / "venv" / "bin").mkdir(parents=True)
            (software / "venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            (software / "venv" / "bin" / "python").chmod(0o700)
            for migration in migrations:
                folder = software / "venv/lib/python3.11/site-packages/litellm_proxy_extras/migrations" / migration
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "migration.sql").touch()
        settings = {
            "host": "127.0.0.1",
            "ports": {"litellm": 0, "postgres": 0},
            "software": str(software),
            "workers": 1,
            "start_timeout": 15,
            "backups_keep": 2,
            "database_connections": 3,
            "user": "",
            "units": {},
            "postgres_user": "",
            "postgres_bin_dir": str(self.postgres),
            "postgres_settings": {"fsync": "off"},
            "litellm_environment": {"SOFTWARE": f"{software}/bin"},
        }
        (self.path / "gateway.json").write_text(json.dumps(settings))

    def run(self, *arguments: str) -> dict[str, object]:
        return execute([str(self.path), *arguments])

    @property
    def database_url(self) -> str:
        return str(json.loads((self.path / "connection.json").read_text())["database_url"])

    def sql(self, statement: str, database: str = "litellm") -> list[tuple[object, ...]]:
        url = self.database_url.rpartition("/")[0] + f"/{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def databases(self) -> list[str]:
        return [str(name) for (name,) in self.sql("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1", "postgres")]

    @property
    def backups(self) -> list[Path]:
        return sorted((self.path / "backups").glob("*.dump"))

    @property
    def notes(self) -> str:
        return str(self.sql("SELECT string_agg(text, ' ' ORDER BY text) FROM note")[0][0])


@pytest.fixture
def small(gateway: Gateway, gateway_folder: Path, unique: str) -> Iterator[SmallGateway]:
    """A running gateway with the old software, whose table `note` holds one word."""
    copied = gateway.dir.glob("postgres/server-*/*/pginstall/bin")  # for a user who cannot reach the installed ones
    small = SmallGateway(gateway_folder / unique, next(copied, gateway.software / "postgres" / "bin"))
    small.use("litellm-0", OLD, program=MIGRATE.format(name=OLD) + SERVE)
    try:
        small.run("start")
        small.sql("CREATE TABLE note (text text)")
        small.sql("INSERT INTO note VALUES ('first')")
        yield small
    finally:
        small.run("stop")


@contextlib.contextmanager
def session(small: SmallGateway) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Somebody's session in the database."""
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(small.database_url, application_name="exporter", autocommit=True) as connection:
        yield connection


# ------------------------------------------------------------------------------------------------------------- restores
def test_what_a_restore_replaces_stays_until_the_restored_database_serves(small: SmallGateway) -> None:
    backup = str(small.run("backup")["backup"])
    small.sql("INSERT INTO note VALUES ('second')")
    for _time in range(2):
        small.run("restore", backup)
        assert (small.notes, small.databases) == ("first", ["litellm", "litellm_replaced"])
    small.run("undo-restore")
    assert (small.notes, small.databases) == ("first second", ["litellm"])
    small.run("start")
    small.run("restore", backup)
    small.run("start")
    assert (small.notes, small.databases) == ("first", ["litellm"])
    with pytest.raises(GatewayError, match="no restore to undo"):
        small.run("undo-restore")
    assert small.notes == "first"


def test_a_restore_names_who_uses_the_database_and_changes_nothing(small: SmallGateway) -> None:
    backup = str(small.run("backup")["backup"])
    small.sql("INSERT INTO note VALUES ('second')")
    with session(small):
        with pytest.raises(GatewayError, match=r"used by exporter \(process \d+ of PostgreSQL, from 127.0.0.1\): end it first, or give --end-sessions"):
            small.run("restore", backup)
        assert (small.notes, small.databases) == ("first second", ["litellm"])
        small.run("restore", backup, "--end-sessions")
    assert (small.notes, small.databases) == ("first", ["litellm", "litellm_replaced"])


def test_a_damaged_backup_leaves_the_database_alone(small: SmallGateway, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.dump"
    damaged.write_bytes(Path(str(small.run("backup")["backup"])).read_bytes()[:1000])
    with pytest.raises(GatewayError, match="pg_restore"):
        small.run("restore", str(damaged))
    assert small.notes == "first"
    assert "litellm_replaced" not in small.databases


# ------------------------------------------------------------------------------------------------------------- upgrades
def test_an_upgrade_that_fails_goes_back_by_itself_as_often_as_it_is_tried(small: SmallGateway) -> None:
    small.use("litellm-1", OLD, NEW, program=MIGRATE.format(name=NEW) + FAIL)
    for attempt in range(2):
        small.sql(f"INSERT INTO note VALUES ('then {attempt}')")
        with pytest.raises(
            GatewayError, match=r"model map is broken(?s:.*)runs again with the software from before, litellm-0, and the database from before, out of"
        ):
            small.run("start")
        assert small.notes == "first then 0" + (" then 1" if attempt else "")
        assert small.databases == ["litellm"]
        assert small.sql("SELECT migration_name FROM _prisma_migrations") == [(OLD,)]
        assert small.run("status")["ready"]
    small.use("litellm-0", program="")
    assert small.run("start")["changed"] is False


def test_an_upgrade_that_fails_before_its_migration_restores_nothing(small: SmallGateway) -> None:
    small.use("litellm-1", OLD, NEW, program=FAIL)
    with pytest.raises(GatewayError, match="its database, which was not changed"):
        small.run("start")
    assert small.run("status")["ready"]


def test_without_the_former_software_the_error_says_how_to_go_back(small: SmallGateway) -> None:
    (small.path / "software" / "litellm-0").rename(small.path / "software" / "moved")
    small.use("litellm-1", OLD, NEW, program=FAIL)
    with pytest.raises(GatewayError) as failed:
        small.run("start")
    (backup,) = small.backups
    assert f"to go back, run the role with the software from before, and give {backup} to gatewayctl's restore" in str(failed.value)


def test_the_software_from_before_stays_and_older_software_goes(small: SmallGateway) -> None:
    for name, migration in (("litellm-1", NEW), ("litellm-2", f"{NEW}er")):
        small.use(name, OLD, NEW, migration, program=MIGRATE.format(name=migration) + SERVE)
        small.run("start")
    assert sorted(path.name for path in (small.path / "software").iterdir()) == ["litellm-1", "litellm-2"]
    assert [path.name.rpartition("Z.")[2] for path in small.backups] == ["litellm-0.dump", "litellm-1.dump"]


def test_older_software_is_refused_while_the_newer_goes_on(small: SmallGateway) -> None:
    small.use("litellm-1", OLD, NEW, program=MIGRATE.format(name=NEW) + SERVE)
    assert small.run("start")["changed"] is True
    small.use("litellm-0", program="")
    with pytest.raises(GatewayError, match=f"migrated by a newer LiteLLM than litellm-0, which does not know its migration {NEW}"):
        small.run("start")
    assert small.run("status")["ready"]
    (backup,) = small.backups
    small.run("restore", str(backup))
    small.run("start")
    assert small.sql("SELECT migration_name FROM _prisma_migrations") == [(OLD,)]
