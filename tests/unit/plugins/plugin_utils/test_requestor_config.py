# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The config.yaml of the LLM Key Requestor: what is taken from it, what goes before it, and hostile files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.requestor_config import find_config, parse_config, read_config

SAMPLE = """
mcp: {api_key: change-me}
admin: {username: admin, password: "geheim"}
litellm:
  base_url: "http://localhost:4000"
  api_key: "sk-of-the-file-000000"
  enable_litellm_models: true
models:
  - {id: openai-gpt4, title: OpenAI GPT-4, icon: "simple-icons:openai", color: "#412991", description: "Advanced"}
smtp: {host: mail.example.com, port: 2525, user: "", from: keys@example.com, use_tls: false, start_tls: true, verify_ssl: false}
approval: {queue_interval: "5m"}
kubernetes: {namespace: llm}
approval_plugins:
  - name: email
    config: {pattern: "*@example.com"}
"""
RULES = [{"name": "email", "config": {"pattern": "*@example.com"}}]


def test_everything_that_a_pass_uses_is_found_and_nothing_of_it_is_unknown() -> None:
    config = parse_config(SAMPLE, "config.yaml")
    assert config.rules == RULES and config.unknown == ()
    assert config.fill({}, {}) == {
        "gateway": {"url": "http://localhost:4000", "api_key": "sk-of-the-file-000000"},
        "mail": {
            "host": "mail.example.com",
            "port": "2525",
            "sender": "keys@example.com",
            "use_tls": "false",
            "start_tls": "true",
            "validate_certs": "false",
        },
        "store": {"namespace": "llm"},
        "delivery": {},
        "rules": RULES,
        "interval": "5m",
    }
    assert "sk-of-the-file" not in repr(config) and "geheim" not in repr(config)
    assert (config.admin["username"], config.models[0]["id"], config.featured_models, config.with_served_models) == ("admin", "openai-gpt4", None, True)


def test_what_only_the_portal_uses_stops_no_pass() -> None:
    config = parse_config("models: 5\nfeatured_models: {a: b}\nadmin: {password: [x]}\nenable_litellm_models: perhaps", "config.yaml")
    assert (config.models, config.featured_models, config.with_served_models) == (5, {"a": "b"}, "perhaps")


def test_variables_go_before_the_environment_and_both_before_the_file() -> None:
    config = parse_config(SAMPLE, "config.yaml")
    mine: dict[str, Any] = {"gateway": {"url": "http://mine"}, "mail": {"host": "mine"}, "rules": [{"name": "mine"}], "interval": "once"}
    filled = config.fill(mine, {})
    assert (filled["gateway"]["url"], filled["mail"]["host"], filled["rules"], filled["interval"]) == ("http://mine", "mine", [{"name": "mine"}], "once")
    names = ("LITELLM_BASE_URL", "LITELLM_API_KEY", "SMTP_HOST", "SMTP_PORT", "APPROVAL_QUEUE_INTERVAL", "KUBERNETES_NAMESPACE")
    filled = config.fill({}, dict.fromkeys(names, "of the environment"))
    assert filled["gateway"] == {} and not {"host", "port"} & set(filled["mail"]) and "interval" not in filled and filled["store"] == {}
    assert config.fill({}, dict.fromkeys(names, "")) == config.fill({}, {}), "set to nothing is not set"


def test_where_the_configuration_is_looked_for(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.yaml" for name in ("argument", "file", "other")}
    for name, path in files.items():
        path.write_text(f"litellm: {{base_url: http://{name}}}")
    environment = {"CONFIG_FILE": str(files["file"]), "CONFIG": str(files["other"])}
    for path, given, url in (
        (str(files["argument"]), environment, "http://argument"),
        ("", environment, "http://file"),
        ("", {"CONFIG": str(files["other"])}, "http://other"),
        ("", {"CONFIG": "litellm: {base_url: http://text}"}, "http://text"),
        ("", {"CONFIG": "litellm:\n  base_url: http://text\n"}, "http://text"),
    ):
        config = find_config(path, given)
        assert config is not None and config.url == url
    for none in ({}, {"CONFIG": ""}, {"CONFIG": "Release"}, {"CONFIG_FILE": ""}):
        assert find_config("", none) is None
    with pytest.raises(ValueError, match="nowhere.yaml cannot be read: No such file or directory"):
        find_config("", {"CONFIG": "/nowhere.yaml"})


def test_entries_that_nobody_knows_are_named() -> None:
    config = parse_config("approval_plugin: []\nlitellm: {base-url: x}\n1: 2\n", "config.yaml")
    assert config.unknown == ("approval_plugin", "1", "litellm.base-url")


def test_an_empty_chain_is_no_chain() -> None:
    assert parse_config("approval_plugins:\nlitellm:\n", "config.yaml").fill({}, {})["gateway"] == {}


SECRET = "sk-never-to-be-shown"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"litellm: {{api_key: {SECRET}", "is not YAML that can be used, see line 1"),
        (f"litellm:\n  api_key: {SECRET}\n bad: [", "is not YAML that can be used, see line 3"),
        (f"litellm: {{api_key: {SECRET}}}\nlitellm: {{}}\n", "has 'litellm' twice in the entry at line 1"),
        (f"litellm: {{api_key: {SECRET}, api_key: ''}}", "has 'api_key' twice in the entry at line 1"),
        (f"- {SECRET}", "holds a list; give a mapping"),
        (SECRET, "holds a text"),
        ("", "holds nothing"),
        (f"litellm: {SECRET}", "litellm in config.yaml is a text; give a mapping"),
        (f"litellm: {{api_key: [{SECRET}]}}", "litellm.api_key in config.yaml is a list; give a text"),
        ("approval_plugins: {name: email}", "approval_plugins in config.yaml is a mapping; give a list of rules"),
        (f"a: !!python/object/apply:os.system ['{SECRET}']", "is not YAML that can be used"),
        (f"a: !vault {SECRET}", "is not YAML that can be used, see line 1"),
        ("[" * 5000, "is not YAML that can be used"),
        ("a: 0xZ\nb: 2026-99-99\n{1: 2}: 3", "is not YAML that can be used"),
        ("{[a, b]: c}", "is not YAML that can be used"),
        (f"a: {SECRET}\n---\nb: 1", "is not YAML that can be used"),
        ("a: \x00", "is not YAML that can be used"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_of_it_is_shown(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="config.yaml") as caught:
        parse_config(text, "config.yaml")
    assert words in str(caught.value) and SECRET not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    large, binary = tmp_path / "large.yaml", tmp_path / "binary.yaml"
    large.write_text("a: " + "x" * 5_000_000)
    binary.write_bytes(b"a: \xff\xfe")
    for path, words in ((large, "more than 1000000 bytes"), (binary, "is not text in UTF-8"), (tmp_path, "Is a directory"), (tmp_path / "none", "No such")):
        with pytest.raises(ValueError, match=words):
            read_config(str(path))
    with pytest.raises(ValueError, match="its name is not that of a file"):
        read_config("a\0b")


def test_aliases_may_be_used_and_not_multiplied() -> None:
    assert parse_config("x: &list [{name: email}]\napproval_plugins: *list", "config.yaml").rules == [{"name": "email"}]
    bomb = "a: &a [x]\n" + "\n".join(f"b{n}: &b{n} [{', '.join(['*a' if n == 0 else f'*b{n - 1}'] * 9)}]" for n in range(12))
    for text in (bomb, "approval_plugins: &a [*a]"):
        with pytest.raises(ValueError, match="has more than 100000 entries, with those that its aliases repeat"):
            parse_config(text, "config.yaml")
