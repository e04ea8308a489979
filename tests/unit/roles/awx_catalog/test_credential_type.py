# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The credential types in AWX have a field for every option that modules read from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
NO_FIELD = {
    "LITELLM_API_KEY": "another name of LITELLM_MASTER_KEY",
    "LITELLM_KEY_REQUESTS_DIR": "no secret: awx_catalog_requests_directory, an extra variable of the templates",
    "CONFIG_FILE": "names a file of the execution environment: key_requests_config_file in awx_catalog_extra_vars",
    "CONFIG": "as CONFIG_FILE",
    "REQUESTS_CA_BUNDLE": "names a file of the execution environment: litellm_ca_path in awx_catalog_extra_vars",
    "SSL_CERT_FILE": "as REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR": "as REQUESTS_CA_BUNDLE",
    "KUBECONFIG": "AWX has a credential type of its own for Kubernetes",
    "KUBERNETES_NAMESPACE": "no secret: awx_catalog_requests_namespace, an extra variable of the templates",
    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "a setting of Ansible, which the inventory of labs recommends",
    "XDG_STATE_HOME": "the directory of a person who works on one machine",
}
KUBERNETES = "K8S_AUTH_"
"""The environment that AWX's own credential type for Kubernetes sets."""


class Loader(yaml.SafeLoader):
    """Reads the role's YAML; `!unsafe` marks a text that Ansible must not template."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def credential_types() -> list[dict[str, Any]]:
    files = sorted((ROOT / "roles" / "awx_catalog" / "vars" / "main").glob("*.yml"))
    contents = [yaml.load(file.read_text(encoding="utf-8"), Loader) for file in files]
    return [entry for entry in every_mapping(contents) if "injectors" in entry]


def every_mapping(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for entry in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from every_mapping(entry)


def read_from_the_environment() -> set[str]:
    """Return the environment variables that the documentation of modules and plugins names, in prose and as `env` of an option."""
    folders = ("modules", "doc_fragments", "inventory", "lookup")
    text = "\n".join(path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / "plugins" / folder).glob("*.py"))
    return set(re.findall(r"\bE\(([A-Z0-9_]+)\)", text)) | set(re.findall(r"^ *- name: ([A-Z][A-Z0-9_]+)$", text, re.MULTILINE))


def test_every_option_from_the_environment_has_a_field_or_a_reason_for_none() -> None:
    injected = {name for kind in credential_types() for name in kind["injectors"]["env"]}
    named = {name for name in read_from_the_environment() if not name.startswith(KUBERNETES)}
    assert {"LITELLM_BASE_URL", "LITELLM_KEY_HEADER_NAME", "SMTP_HOST"} <= named
    assert named - injected == set(NO_FIELD), "give each a field in the credential type, or the reason for none here"
    assert injected <= named, "nothing reads the others"


@pytest.mark.parametrize("kind", credential_types(), ids=("gateway", "target"))
def test_every_field_is_injected(kind: dict[str, Any]) -> None:
    fields = [each["id"] for each in kind["inputs"]["fields"]]
    assert sorted(kind["injectors"]["env"].values()) == sorted("{{ " + name + " }}" for name in fields)
    assert set(kind["inputs"]["required"]) <= set(fields)
