# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The vendors' own SDKs, through a gateway that is configured as in the guide to providers.

Each program in sdk_programs was written for a vendor and runs in its own process, configured only by an env file of the role
key_delivery. The vendors are stand-ins (vendors.py); the rest is real.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.ansible.playbooks import Playbooks
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.live import SECRET, Live
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.vendor_gateway import VendorGateway
from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

PROGRAMS = Path(__file__).parent / "sdk_programs"
PACKAGES = "ocp4_workload_litellm_virtual_keys_packages"
PACKAGE = "ocp4_workload_litellm_virtual_keys_subscription_package"

# Deliver a lab's keys as env files, as a lab does.
CLASS = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.include_role:
        name: rhpds.litellm_virtual_keys.ocp4_workload_litellm_virtual_keys
      vars:
        ACTION: provision
    - ansible.builtin.include_role:
        name: rhpds.litellm_virtual_keys.key_delivery
      vars:
        key_delivery_methods: [env_file]
        key_delivery_keys:
          - { alias: one, user: user1, value: "{{ _litellm_user_data.litellm_user1_virtual_key }}" }
          - { alias: two, user: user2, value: "{{ _litellm_user_data.litellm_user2_virtual_key }}" }
"""


@dataclass(frozen=True)
class Sdk:
    """A program, the vendor that it calls, a model of the guide, and whether answers can stream."""

    program: str
    vendor: str
    model: str
    streams: bool = True


SDKS = [
    Sdk("use_openai", "openai", "gpt-4o"),
    Sdk("use_anthropic", "anthropic", "claude-sonnet-5"),
    Sdk("use_cohere", "cohere", "command-a-03-2025"),
    Sdk("use_google", "google", "gemini-2.5-flash"),
    Sdk("use_google", "vertex", "gemini-2.5-pro"),
    Sdk("use_huggingface", "huggingface", "meta-llama/Llama-3.3-70B-Instruct"),
    Sdk("use_anyscale", "anyscale", "mistralai/Mixtral-8x7B-Instruct-v0.1"),
    Sdk("use_vectara", "vectara", "my-corpus", streams=False),
]
each_sdk = pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.vendor)


class Program:
    """A running program of a person who has an env file."""

    def __init__(self, python: Path, sdk: Sdk, env_file: Path, folder: Path) -> None:
        self.output = ""
        script = '. "$1"; exec "$2" "$3"'
        # A shell that is set up for Google's cloud has this; the env file must override it.
        before = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "GOOGLE_GENAI_USE_VERTEXAI": "true", "DO_NOT_TRACK": "1"}
        command = ["sh", "-c", script, "sh", str(env_file), str(python), str(PROGRAMS / f"{sdk.program}.py")]
        self.errors = folder / f"{sdk.program}-{env_file.stem}.log"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(command, env=before, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)

    def __call__(self, how: str, model: str) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{how} {model}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the program ended: {self.errors.read_text()}"
        self.output += line
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> str:
        """End the program, and return all its output."""
        rest, _nothing = self.process.communicate(timeout=30)
        return self.output + rest + self.errors.read_text()


@dataclass
class Class:
    """A lab of two people with an env file each."""

    live: Live
    folder: Path
    files: list[Path]
    values: list[str]


@pytest.fixture(scope="module")
def sdk_python() -> Path:
    return workshop.environment("sdks") / "bin" / "python"


@pytest.fixture(scope="module")
def people(vendor_gateway: VendorGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """A lab with the guide's package, whose keys the role key_delivery wrote into env files."""
    folder = tmp_path_factory.mktemp("people")
    live = Live(vendor_gateway.gateway, "class1")
    (folder / "class.yml").write_text(CLASS, encoding="utf-8")
    variables = {
        **{name: value for name, value in vendor_gateway.guide.items() if name.startswith("ocp4_workload")},
        **vendor_gateway.gateway.variables,
        "guid": live.name,
        "num_users": 2,
        "ocp4_workload_litellm_virtual_keys_secret": SECRET,
        "key_delivery_env_file": str(folder / "litellm.env"),
        "ocp4_workload_litellm_virtual_keys_enable_user_info_messages": False,
        "ocp4_workload_litellm_virtual_keys_enable_user_info_data": False,
    }
    Playbooks(folder)(folder / "class.yml", variables)
    files = [folder / f"litellm-user{number}.env" for number in (1, 2)]
    values = [subprocess.run(["sh", "-c", '. "$0"; printf %s "$OPENAI_API_KEY"', file], capture_output=True, text=True, check=True).stdout for file in files]
    yield Class(live, folder, files, values)
    live.clean()


@pytest.fixture(scope="module")
def programs(people: Class, sdk_python: Path) -> Iterator[dict[tuple[str, int], Program]]:
    """Every program for both people. All start at once, because their imports take long."""
    started = {(sdk.program, person): Program(sdk_python, sdk, people.files[person], people.folder) for sdk in SDKS for person in (0, 1)}
    yield started
    for program in started.values():
        program.process.kill()
        program.process.communicate()


@each_sdk
def test_a_program_written_for_a_vendor_calls_it_through_the_gateway(
    vendor_gateway: VendorGateway, people: Class, programs: dict[tuple[str, int], Program], sdk: Sdk
) -> None:
    vendors = vendor_gateway.vendors
    before = len(vendors.seen(sdk.vendor))
    for how in ("ask", "stream") if sdk.streams else ("ask", "ask"):
        assert programs[sdk.program, 0](how, sdk.model) == {"text": vendors.says(sdk.vendor)}
    calls = vendors.seen(sdk.vendor)[before:]
    assert len(calls) == 2
    for call in calls:
        assert vendors.all[sdk.vendor].key in call.raw
        assert not [value for value in people.values if value in call.raw]


@each_sdk
def test_what_is_outside_the_package_is_refused(vendor_gateway: VendorGateway, people: Class, programs: dict[tuple[str, int], Program], sdk: Sdk) -> None:
    before = len(vendor_gateway.vendors.calls)
    if sdk.vendor == "vectara":  # Vectara has no models; the package allows the route itself
        people.live.run_ok("virtual_keys", guid=people.live.name, keys=[{"user": "user1"}], allowed_routes=["openai_routes"])
    answer = programs[sdk.program, 0]("ask", "command-r-plus")
    assert answer["status"] == 403, answer
    assert len(vendor_gateway.vendors.calls) == before


@each_sdk
def test_a_revoked_key_stops_working_and_the_key_of_the_next_person_does_not(
    vendor_gateway: VendorGateway, people: Class, programs: dict[tuple[str, int], Program], sdk: Sdk
) -> None:
    people.live.run_ok("virtual_keys", guid=people.live.name, keys=[{"user": "user1"}], state="absent")
    refused = programs[sdk.program, 0]("ask", sdk.model)
    assert refused["status"] == 401, refused
    assert programs[sdk.program, 1]("ask", sdk.model) == {"text": vendor_gateway.vendors.says(sdk.vendor)}


def test_no_program_ever_printed_a_key_of_a_vendor(vendor_gateway: VendorGateway, programs: dict[tuple[str, int], Program]) -> None:
    printed = "".join(program.close() for program in programs.values())
    assert printed.count("Salut from") >= len(SDKS)
    assert not [name for name, vendor in vendor_gateway.vendors.all.items() if vendor.key in printed]


# ------------------------------------------------------------------------------------------------------- without an SDK
SAY_HELLO = [{"role": "user", "content": "Say hello."}]
ROUTES = {
    "openai": ("/v1/chat/completions", {"model": "gpt-4o", "messages": SAY_HELLO}),
    "anthropic": ("/v1/messages", {"model": "claude-sonnet-5", "max_tokens": 20, "messages": SAY_HELLO}),
    "cohere": ("/cohere/v2/chat", {"model": "command-a-03-2025", "messages": SAY_HELLO}),
    "google": ("/v1beta/models/gemini-2.5-flash:generateContent", {"contents": [{"parts": [{"text": "Say hello."}]}]}),
    "vectara": ("/vectara/v2/query", {"query": "Say hello."}),
}
CLOSED = ["/openai/v1/files", "/openai/v1/moderations", "/anthropic/v1/messages", "/cohere/v1/datasets", "/cohere/v1/chat", "/gemini/v1beta/models"]
"""Routes of LiteLLM that pass on to a vendor, and are in no package."""


def post(people: Class, path: str, body: Any, headers: dict[str, str]) -> requests.Response:
    return requests.post(people.live.gateway.url + path, json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-of-nobody-at-all"}, {"x-api-key": "sk-of-nobody-at-all"}], ids=["none", "bearer", "x"])
def test_nobody_gets_through_without_a_key(vendor_gateway: VendorGateway, people: Class, headers: dict[str, str]) -> None:
    before = len(vendor_gateway.vendors.calls)
    routes = [*ROUTES.values(), ("/vectara/v2", {})]
    assert [post(people, path, body, headers).status_code for path, body in routes] == [401] * len(routes)
    assert len(vendor_gateway.vendors.calls) == before


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "x-goog-api-key"])
def test_a_package_without_pass_through_routes_closes_them(vendor_gateway: VendorGateway, people: Class, header: str) -> None:
    before = len(vendor_gateway.vendors.calls)
    headers = {header: f"Bearer {people.values[1]}" if header == "Authorization" else people.values[1]}
    for path in CLOSED:
        assert post(people, path, {"messages": SAY_HELLO}, headers).status_code in (401, 403), path
    assert len(vendor_gateway.vendors.calls) == before


def test_a_pass_through_route_takes_fields_of_the_body_for_litellms_own(vendor_gateway: VendorGateway, people: Class) -> None:
    """This is why Vectara's answers do not stream, as the guide says."""
    path, body = ROUTES["vectara"]
    headers = {"x-api-key": people.values[1]}
    assert post(people, path, {**body, "id": "a", "metadata": {"b": 1}, "stream_response": True, "limit": 2}, headers).ok
    assert vendor_gateway.vendors.seen("vectara")[-1].body == {**body, "limit": 2}


@pytest.mark.parametrize("vendor", ROUTES)
def test_the_key_of_a_vendor_stays_hidden_when_the_vendor_refuses_it(vendor_gateway: VendorGateway, people: Class, vendor: str) -> None:
    path, body = ROUTES[vendor]
    headers = {"Authorization": f"Bearer {people.values[1]}", "x-goog-api-key": people.values[1]}
    vendor_gateway.vendors.angry.add(vendor)
    before = len(vendor_gateway.vendors.seen(vendor))
    try:
        answer = post(people, path, body, headers)
    finally:
        vendor_gateway.vendors.angry.discard(vendor)
    calls = vendor_gateway.vendors.seen(vendor)[before:]
    assert calls and not answer.ok
    assert all(vendor_gateway.vendors.all[vendor].key in call.raw and people.values[1] not in call.raw for call in calls)
    assert vendor_gateway.vendors.all[vendor].key not in f"{answer.headers}{answer.text}"


def test_the_gateway_asks_nobody_but_the_vendors(vendor_gateway: VendorGateway, people: Class) -> None:
    """LiteLLM counts tokens itself if a vendor does not, and would fetch Llama's tokenizer from Hugging Face for that."""
    body = {"model": "meta-llama/Llama-3.3-70B-Instruct", "messages": SAY_HELLO, "stream": True}
    answer = post(people, "/v1/chat/completions", body, {"Authorization": f"Bearer {people.values[1]}"})
    assert answer.ok and "usage" not in answer.text, "the stand-in does not count tokens in a stream"
    assert "huggingface.co" not in (vendor_gateway.gateway.dir / "log" / "litellm.log").read_text()
