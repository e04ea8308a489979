# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options of a pass: the Secrets of keys are kept apart from those of requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.request_pass.options import PASS_SPEC, parts_of


def options(directory: Path, **delivery: Any) -> dict[str, Any]:
    kubeconfig = directory / "kubeconfig"
    cluster, user = {"server": "https://127.0.0.1:1"}, {"token": "t"}
    context = {"cluster": "c", "user": "u", "namespace": "llm-requests"}
    kubeconfig.write_text(
        f'{{"clusters": [{{"name": "c", "cluster": {cluster}}}], "users": [{{"name": "u", "user": {user}}}], '
        f'"contexts": [{{"name": "x", "context": {context}}}], "current-context": "x"}}'.replace("'", '"')
    )
    given = {
        "store": {"store": "kubernetes", "kubeconfig": str(kubeconfig)},
        "gateway": {"url": "http://127.0.0.1:1", "api_key": "sk-" + "m" * 20},
        "delivery": {"methods": ["kubernetes_secret"], "kubernetes": {"kubeconfig": str(kubeconfig)}, **delivery},
    }
    result = ArgumentSpecValidator(PASS_SPEC).validate(given)
    assert not result.error_messages
    return dict(result.validated_parameters)


@pytest.mark.parametrize(
    ("delivery", "words"),
    [
        ({}, "no namespace is named for them; set key_delivery_kubernetes_namespace to one of their own"),
        ({"namespace": "llm-requests"}, "would lie in llm-requests, the namespace of the requests, .* set key_delivery_kubernetes_namespace to another one"),
        ({"namespace": "llm-keys", "secret_prefix": "llm-key-"}, "would be called like those of requests; set key_delivery_kubernetes_secret_prefix"),
    ],
)
def test_settings_that_put_keys_among_requests_are_refused(tmp_path: Path, delivery: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words), parts_of(options(tmp_path, **delivery), DataLoader(), check_mode=False, warn=print):
        pass


@pytest.mark.parametrize("delivery", [{"namespace": "llm-keys"}, {"namespace": "llm-requests", "allow_shared_namespace": True}])
def test_another_namespace_or_an_explicit_choice_is_fine(tmp_path: Path, delivery: dict[str, Any]) -> None:
    with parts_of(options(tmp_path, **delivery), DataLoader(), check_mode=False, warn=print):
        pass
