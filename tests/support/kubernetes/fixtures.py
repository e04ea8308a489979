# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The fixtures `kube` and `namespace`: one real Kubernetes API for all tests of a run, and a namespace for each."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.kubernetes import build, cluster
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to build the binaries if a test needs the cluster; other tests run meanwhile.

    Each worker begins a build; all but one of them wait for the first build, or find the binaries already built.
    """
    if any("kube" in getattr(item, "fixturenames", ()) for item in session.items) and not session.config.option.collectonly:
        log = workshop.cache() / "kube" / "build.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as output:
            subprocess.Popen([sys.executable, build.__file__], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


@pytest.fixture(scope="session")
def kube(request: pytest.FixtureRequest) -> Iterator[cluster.Cluster]:
    """The cluster. A test takes a namespace of its own (`kube.namespace()`) and need not delete it."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        print("\nStarting a real Kubernetes API (3 s; minutes the first time) ...", file=sys.stderr, flush=True)
        build.assets()
    with cluster.running() as running:
        yield running


@pytest.fixture
def namespace(kube: cluster.Cluster) -> str:
    """A new, empty namespace."""
    return kube.namespace()
