# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""PostgreSQL: its version, and the user who runs it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.files import GatewayError
from ansible_collections.rhpds.litellm_virtual_keys.roles.litellm_gateway.files.gatewayctl.gateway import Gateway


def test_another_major_version_is_refused(configure: Callable[..., Gateway], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "postgres"
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.2'\n")
    program.chmod(0o755)
    gateway = configure(postgres_bin_dir=str(tmp_path / "bin"))
    gateway.postgres.check_version()  # there is no database yet
    gateway.postgres.data.mkdir(parents=True)
    (gateway.postgres.data / "PG_VERSION").write_text("17\n")
    gateway.postgres.check_version()
    (gateway.postgres.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(GatewayError, match="was made by PostgreSQL 15, and .* is PostgreSQL 17, which cannot read it"):
        gateway.start(None)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
class TestAsRoot:
    def test_the_named_user_runs_it(self, configure: Callable[..., Gateway]) -> None:
        default, named = configure().postgres.user, configure(postgres_user="nobody").postgres.user
        assert default and default.pw_name in ("postgres", "nobody")
        assert named and named.pw_name == "nobody"

    def test_a_user_who_does_not_exist_is_named(self, configure: Callable[..., Gateway]) -> None:
        with pytest.raises(GatewayError, match="there is no user ghost: name an unprivileged one in litellm_gateway_postgres_user"):
            configure(postgres_user="ghost")
