# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Backups before another LiteLLM migrates the database."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.files import GatewayError
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.gateway import Gateway


class FakeDump:
    """A pg_dump that writes one word, or fails."""

    def __init__(self) -> None:
        self.fails, self.count = False, 0

    def __call__(self, name: str, *_arguments: str, stdout: Any, **_more: Any) -> None:
        assert name == "pg_dump"
        if self.fails:
            raise GatewayError("disk full")
        stdout.write(b"dump")
        self.count += 1


@pytest.fixture
def pg_dump(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> FakeDump:
    fake = FakeDump()
    gateway.postgres.folder.mkdir()
    gateway.directory.choose_missing()
    monkeypatch.setattr(gateway.postgres, "run_program", fake)
    return fake


def names(gateway: Gateway) -> list[str]:
    folder = gateway.backups.folder
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def upgrade_to(gateway: Gateway, name: str) -> Path | None:
    gateway.directory.software = Path("/opt", name)
    return gateway.backups.save_before_migration()


def test_a_new_database_and_the_same_software_need_no_backup(gateway: Gateway, pg_dump: FakeDump) -> None:
    gateway.postgres.write_schema({"software": None})
    upgrade_to(gateway, "litellm-a")
    gateway.postgres.write_schema({"software": "litellm-a"})
    upgrade_to(gateway, "litellm-a")
    assert names(gateway) == []


def test_other_software_needs_one_backup_however_often_it_fails_to_start(gateway: Gateway, pg_dump: FakeDump) -> None:
    gateway.postgres.write_schema({"software": "litellm-a"})
    pg_dump.fails = True
    with pytest.raises(GatewayError, match="disk full"):
        upgrade_to(gateway, "litellm-b")
    assert names(gateway) == []
    pg_dump.fails = False
    first, second = upgrade_to(gateway, "litellm-b"), upgrade_to(gateway, "litellm-b")
    (backup,) = names(gateway)
    assert first == second == gateway.backups.folder / backup
    assert (pg_dump.count, backup.rpartition("Z.")[2]) == (1, "litellm-a.dump")
    assert stat.S_IMODE((gateway.backups.folder / backup).stat().st_mode) == 0o600


def test_a_database_that_unknown_software_migrated_is_backed_up(gateway: Gateway, pg_dump: FakeDump) -> None:
    upgrade_to(gateway, "litellm-b")
    assert names(gateway)[0].endswith(".unknown.dump")


def test_the_newest_of_each_software_are_kept_and_those_made_by_hand_stay(gateway: Gateway, pg_dump: FakeDump) -> None:
    gateway.backups.folder.mkdir()
    others = ["manual-20260101T000000Z.litellm-a.dump", "upgrade-20250101T000000Z.litellm-z.dump"]
    for name in (*others, *(f"upgrade-2026010{day}T000000Z.litellm-a.dump" for day in range(1, 5))):
        (gateway.backups.folder / name).touch()
    gateway.postgres.write_schema({"software": "litellm-a"})
    upgrade_to(gateway, "litellm-b")
    kept = names(gateway)
    assert kept[:3] == [*others, "upgrade-20260104T000000Z.litellm-a.dump"]
    assert len(kept) == 4
