# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fixture `kube`: one real Kubernetes API for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.rhpds.litellm_virtual_keys.tests.kube import cluster


@pytest.fixture(scope="session")
def kube() -> Iterator[cluster.Cluster]:
    """The cluster. Take a namespace of your own from it (`kube.namespace()`) and leave that behind."""
    with cluster.running() as running:
        yield running


@pytest.fixture
def namespace(kube: cluster.Cluster) -> str:
    """A new, empty namespace."""
    return kube.namespace()
