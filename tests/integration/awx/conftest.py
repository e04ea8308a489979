# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fixtures `catalogue` and `made`: the catalogue, and an AWX that has it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.awx.catalogue import RESOLVE, SETTINGS, Catalogue
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.services.awx import Awx, serving


@pytest.fixture(scope="package", autouse=True)
def _modules_of_awx() -> Iterator[None]:
    """Make third-party collections importable."""
    with pytest.MonkeyPatch.context() as patch:
        for each in os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep):
            patch.syspath_prepend(each)
        yield


@pytest.fixture(scope="package")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    directory = tmp_path_factory.mktemp("catalogue")
    (directory / "resolve.yml").write_text(RESOLVE)
    with serving() as awx:
        variables = {**SETTINGS, "awx_catalog_host": awx.url, "resolved": str(directory / "resolved.json")}
        Playbooks(directory)(directory / "resolve.yml", variables)
        assert not awx.writes
    return Catalogue(json.loads((directory / "resolved.json").read_text()))


@pytest.fixture(scope="package")
def made(catalogue: Catalogue) -> Iterator[Awx]:
    """An AWX that has the catalogue. Tests must only read it."""
    with serving() as awx:
        assert all(catalogue.bring(awx).values())
        yield awx
