# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The variables of vendors' SDKs, and a file from which every shell reads the exact values."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.delivery import client_env
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEY = "sk-0123456789abcdef0123456789abcdef"
SHELLS = [shell for shell in ("sh", "bash", "dash", "ksh", "zsh") if shutil.which(shell)]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
NASTY = st.sampled_from(
    [
        "'",
        '"',
        "$(touch pwned)",
        "`id`",
        "${HOME}",
        "\\",
        "\\'",
        "!!",
        "\n",
        "\r",
        "a b",
        "#",
        "~",
        ";",
        "&",
        "*",
        "'\"'\"'",
        "é",
        "\u2028",
        "",
    ]
)
VALUES = st.one_of(TEXTS, st.lists(NASTY, max_size=8).map("".join))
NAMES = st.from_regex(r"\A[A-Z][A-Z0-9_]{3,20}\Z").filter(
    lambda name: (
        not name.startswith(
            (
                "BASH",
                "IFS",
                "PATH",
                "LC_",
                "LANG",
                "OPTIND",
                "RANDOM",
                "SECONDS",
                "HISTCMD",
                "GROUPS",
                "DIRSTACK",
                "FUNCNAME",
                "EUID",
                "PPID",
                "UID",
                "SHELLOPTS",
                "LINENO",
                "EPOCH",
                "PIPESTATUS",
                "SRANDOM",
            )
        )
    )
)


def test_openai_and_anthropic() -> None:
    assert client_env.variables("https://llm.example.com/v1/", KEY, ["openai", "anthropic"]) == {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": "https://llm.example.com/v1",
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": "https://llm.example.com",
    }


def test_all_vendors_of_the_seed_are_known() -> None:
    everything = client_env.variables("http://127.0.0.1:4000", KEY)
    assert {"OPENAI_BASE_URL", "CO_API_URL", "ANYSCALE_BASE_URL", "HF_INFERENCE_ENDPOINT", "VECTARA_API_KEY", "GOOGLE_API_KEY"} <= set(everything)


def test_no_variable_makes_a_client_send_the_key_as_bearer_to_the_anthropic_pass_through() -> None:
    assert "ANTHROPIC_AUTH_TOKEN" not in client_env.variables("http://127.0.0.1:4000", KEY)


def test_nothing_sends_the_key_to_a_vendor_past_the_gateway() -> None:
    everything = client_env.variables("http://127.0.0.1:4000", KEY)
    assert everything["GOOGLE_GENAI_USE_VERTEXAI"] == everything["GOOGLE_GENAI_USE_ENTERPRISE"] == "false"
    assert everything["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"


def test_none_of_the_variables_is_one_by_which_the_collection_finds_the_master_key() -> None:
    assert not {"LITELLM_API_KEY", "LITELLM_MASTER_KEY", "LITELLM_BASE_URL"} & set(client_env.variables("http://127.0.0.1:4000", KEY))


def test_every_address_begins_with_the_gateways_and_every_other_value_is_the_key_or_a_constant() -> None:
    constants = set(itertools.chain(*(each.values() for each in client_env.CONSTANTS.values())))
    for value in client_env.variables("https://llm.example.com", KEY).values():
        assert value == KEY or value.startswith("https://llm.example.com") or value in constants


def test_another_path() -> None:
    paths = {"vectara": "/my/vectara", "cohere": ""}
    variables = client_env.variables("https://llm.example.com/", KEY, ["vectara", "cohere"], paths)
    assert variables["VECTARA_BASE_URL"] == "https://llm.example.com/my/vectara"
    assert variables["CO_API_URL"] == "https://llm.example.com"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "litellm.example.com",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x?a=b",
        "https://x#f",
        "https://x y",
        "https://x\n",
        "https://[::1",
        "https://h:99999",
        "https://h:port",
        "https://ü.example",
    ],
)
def test_refused_addresses(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url "):
        client_env.variables(url, KEY)


@pytest.mark.parametrize("key", ["", "sk-a b", "sk-a\n", "sk-ä", None])
def test_refused_keys_are_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match=r"^the key ") as caught:
        client_env.variables("https://x.example", key)
    assert not key or key not in str(caught.value)


def test_unknown_vendor_and_bad_path() -> None:
    with pytest.raises(ValueError, match=r"vendor is 'opnai'.*choose among openai"):
        client_env.variables("https://x.example", KEY, ["opnai"])
    with pytest.raises(ValueError, match="vendor is 'opnai'"):
        client_env.variables("https://x.example", KEY, [], {"opnai": ""})
    for path in ("v1", "/v1/", "/a b", "/a?b", "//", 1):
        with pytest.raises(ValueError, match="the path of vendor openai"):
            client_env.variables("https://x.example", KEY, ["openai"], {"openai": path})  # type: ignore[dict-item]


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(variables=st.dictionaries(NAMES, VALUES, min_size=1, max_size=8), comments=st.lists(TEXTS, max_size=2))
def test_a_shell_reads_back_the_exact_values(shell: str, variables: dict[str, str], comments: list[str], tmp_path: Path) -> None:
    file = tmp_path / "litellm.env"
    file.write_bytes(client_env.env_file(variables, comments).encode())
    # `env -0` in a child process shows that the variables are exported byte for byte.
    done = subprocess.run(
        [shell, "-c", '. "$0" && exec env -0', str(file)],
        env={"PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == b""
    found = dict(entry.split(b"=", 1) for entry in done.stdout.split(b"\0") if entry)
    assert {name: found[name.encode()].decode() for name in variables} == variables
    assert not (tmp_path / "pwned").exists()


def test_the_file_reads_plainly() -> None:
    assert client_env.env_file({"A": "it's"}, ["For ada.\nrm -rf /"]) == "# For ada. rm -rf /\nexport A='it'\"'\"'s'\n"


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "A\n", "Ä"])
def test_refused_names(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of an environment variable"):
        client_env.env_file({name: "x"})


@pytest.mark.parametrize("value", ["secret\0", "secret\ud800", 7])
def test_refused_values_are_not_shown(value: str) -> None:
    with pytest.raises(ValueError, match=r"^A ") as caught:
        client_env.env_file({"A": value})
    assert "secret" not in str(caught.value)
