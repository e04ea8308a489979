# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.fleet.live_labs import Source
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm.errors import Refused
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import LoopbackServer, Reply


def loaded(folder: Path, content: str | bytes, **options: Any) -> list[str]:
    file = folder / "live"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Source(file=str(file), **options).load()


def refusal(folder: Path, content: str | bytes, **options: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as error:
        loaded(folder, content, **options)
    assert str(error.value).startswith("nothing was changed: the list of living labs from ")
    return error.value.code, str(error.value)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("a1\nb2\n", {}),
        ("# the living\n\n a1 \r\nb2 # a class\r\n", {}),
        ('["a1", "b2"]', {}),
        ('[{"guid": "a1"}, {"guid": "b2"}]\n', {}),
        ('{"results": [{"id": {"lab": "a1"}}, {"id": {"lab": "b2"}}], "count": 2, "next": null}', {"field": "id.lab"}),
        ('{"data": {"labs": ["a1", "b2"], "gone": ["c3"]}}', {"items": "data.labs"}),
        ('{"kind": "List", "metadata": {"continue": "", "remainingItemCount": 0}, "items": ["a1", "b2"]}', {}),
    ],
)
def test_plausible_lists(tmp_path: Path, content: str, options: dict[str, Any]) -> None:
    assert loaded(tmp_path, content, **options) == ["a1", "b2"]


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", "live_labs_empty", "names no lab"),
        ("[]", "live_labs_empty", "names no lab"),
        ("# nobody\n", "live_labs_empty", "names no lab"),
        ("a1\nb", "live_labs_partial", "its last line has no line break"),
        ('["a1", "b2"', "live_labs_partial", "cut off"),
        ("a1\nb2\na1\n", "live_labs_duplicate", "names a1 more than once"),
        ('["b2", "b2", "a1", "a1"]', "live_labs_duplicate", "names a1 and 1 others more than once"),
        ("<!DOCTYPE html><html>502</html>\n", "live_labs_failed", "HTML"),
        ("Internal Server Error\n", "live_labs_failed", "its entry 1 is 'Internal Server Error'"),
        ('{"error": "token expired", "items": ["a1"]}', "live_labs_failed", "tells of an error"),
        ('{"detail": "Authentication credentials were not provided."}', "live_labs_failed", "tells of an error"),
        ('{"results": ["a1"], "next": "/labs?page=2"}', "live_labs_partial", "next is set"),
        ('{"items": ["a1"], "metadata": {"continue": "abc"}}', "live_labs_partial", "continue is set"),
        ('{"items": ["a1"], "meta": {"has_more": true}}', "live_labs_partial", "has_more is set"),
        ('{"items": ["a1"], "totalCount": 2}', "live_labs_partial", "its totalCount is 2, and it names 1"),
        ('{"items": ["a1"], "total_pages": 3}', "live_labs_partial", "one page of 3"),
        ('{"a": ["a1"], "b": ["b2"]}', "live_labs_failed", "2 lists"),
        ('{"a": 1}', "live_labs_failed", "0 lists"),
        ('[{"name": "a1"}]', "live_labs_failed", "entry 1 has no GUID at guid"),
        ("[null]", "live_labs_failed", "entry 1 has no GUID"),
        ('["a/1"]', "live_labs_failed", "'a/1', which is no GUID"),
        (b"\xff\xfe\n", "live_labs_failed", "UTF-8"),
    ],
)
def test_implausible_lists(tmp_path: Path, content: str | bytes, code: str, words: str) -> None:
    error_code, message = refusal(tmp_path, content)
    assert (error_code, words in message) == (code, True), message


def test_one_page_does_not_count_as_the_list(tmp_path: Path) -> None:
    assert refusal(tmp_path, '{"data": {"labs": ["a1"]}, "meta": {"total": 5}}', items="data.labs")[0] == "live_labs_partial"
    assert refusal(tmp_path, '{"data": ["a1"]}', items="labs") == (
        "live_labs_failed",
        f"nothing was changed: the list of living labs from {tmp_path}/live cannot be believed: there is no list at labs.",
    )


def test_a_list_below_the_minimum(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a1\n", minimum=2)[0] == "live_labs_partial"
    assert loaded(tmp_path, "a1\nb2\n", minimum=2) == ["a1", "b2"]


def test_much_fewer_than_last_time(tmp_path: Path) -> None:
    memory = str(tmp_path / "last")
    many = [f"g{number}" for number in range(10)]
    source = Source(labs=many, memory=memory)
    source.remember(source.load())
    assert Source(labs=many[:8], memory=memory).load() == many[:8]
    with pytest.raises(Refused, match="names 7 labs and named 10 last time") as error:
        Source(labs=many[:7], memory=memory).load()
    assert error.value.code == "live_labs_shrunk"
    assert len(Source(labs=many[:7], memory=memory, max_shrink=30).load()) == 7
    (tmp_path / "last").write_text("{")
    with pytest.raises(Refused, match="does not tell how many labs lived last time"):
        Source(labs=many, memory=memory).load()


def test_a_missing_list_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be read"):
        Source(file="/nowhere/live").load()


def test_commands() -> None:
    def run(code: str, timeout: float = 30) -> list[str]:
        return Source(command=[sys.executable, "-c", code], timeout=timeout).load()

    assert run("print('a1')") == ["a1"]
    with pytest.raises(Refused, match=r"ended with status 3 \(no such cloud\)"):
        run("import sys; print('a1'); print('no such cloud', file=sys.stderr); sys.exit(3)")
    with pytest.raises(Refused, match="has not ended after 0.2 s"):
        run("import time; time.sleep(5)", timeout=0.2)
    with pytest.raises(Refused, match="cannot be run"):
        Source(command=["/nowhere/labs"]).load()


def fetched(reply: Reply, **options: Any) -> list[str]:
    with LoopbackServer(lambda _request: reply) as server:
        labs = Source(url=f"{server.url}/labs?token=sesame", headers={"Authorization": "Bearer abc"}, **options).load()
        assert server.requests[0].headers["authorization"] == "Bearer abc"
        return labs


def test_addresses() -> None:
    assert fetched(Reply(json=["a1", "b2"])) == ["a1", "b2"]
    assert fetched(Reply(text="a1\n", headers={"Content-Type": "text/plain"})) == ["a1"]


def test_an_answer_that_never_ends_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
                while True:
                    connection.sendall(b"a1\n")
                    time.sleep(0.1)

        threading.Thread(target=serve, daemon=True).start()
        started = time.monotonic()
        with pytest.raises(Refused, match="no answer"):
            Source(url=f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.6).load()
        assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply(status=500, json=["a1"]), "live_labs_failed", "HTTP 500"),
        (Reply(status=206, json=["a1"]), "live_labs_failed", "HTTP 206"),
        (Reply(status=204, text=""), "live_labs_failed", "HTTP 204"),
        (Reply(status=302, text="", headers={"Location": "/login"}), "live_labs_failed", "HTTP 302"),
        (Reply(text="a1\n"), "live_labs_failed", "HTML page"),
        (Reply(json=["a1"] * 500, cut=True), "live_labs_partial", ""),
        (Reply(text="a1\n" * 500, headers={"Content-Type": "text/plain"}, cut=True), "live_labs_partial", ""),
        (Reply(reset=True), "live_labs_failed", "no answer"),
    ],
)
def test_implausible_answers_of_addresses(reply: Reply, code: str, words: str) -> None:
    with pytest.raises(Refused) as error:
        fetched(reply)
    assert error.value.code == code and words in str(error.value)
    assert "sesame" not in str(error.value) and "abc" not in str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        {"labs": [], "minimum": 0},
        {"labs": [], "max_shrink": 101},
        {"command": []},
        {"url": "ftp://labs.example"},
        {"url": "https://me:secret@labs.example"},
    ],
)
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="live_") as error:
        Source(**options)
    assert "secret@" not in str(error.value)


def test_only_the_number_of_labs_is_remembered(tmp_path: Path) -> None:
    Source(labs=["a1"], memory=str(tmp_path / "last")).remember(["a1"])
    assert json.loads((tmp_path / "last").read_text()) == {"count": 1}
    with pytest.raises(ValueError, match="cannot be written"):
        Source(labs=["a1"], memory="/nowhere/last").remember(["a1"])
