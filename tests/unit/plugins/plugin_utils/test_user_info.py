# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

from __future__ import annotations

import datetime
import errno
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils import user_info
from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.user_info import (
    Directory,
    Entry,
    UserInfoError,
    for_agnosticd,
    merged,
    parse_entry,
    plain_value,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SECRET = "sk-only-for-tests-0123456789"


def saved(directory: Path, kind: str, action: str = "provision") -> Any:
    return yaml.safe_load((directory / f"{action}-user-{kind}.yaml").read_text())


def add(directory: Path, action: str = "provision", *, check: bool = False, **arguments: Any) -> list[str]:
    return [Path(path).name for path in Directory(directory, action).add(parse_entry(arguments), check=check)]


# ------------------------------------------------------------------------------------------------------------- arguments
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "There is nothing to tell"),
        ({"user": "user1"}, "There is nothing to tell"),
        ({"msg": None, "data": None}, "There is nothing to tell"),
        ({"msg": "a", "body": "b"}, "msg and body are both given"),
        ({"msg": "a", "mgs": "b"}, "There is no option mgs; the options are msg, body, data, data_prefix, user, users, of_action,"),
        ({"msg": {"a": 1}}, "msg is a dict; give a string or a list of strings."),
        ({"msg": ["a", ["b"]]}, "msg[1] is a list; give a string."),
        ({"msg": ["a", None]}, "msg[1] is a NoneType; give a string."),
        ({"body": ["a"]}, "body is a list; give a string."),
        ({"data": ["a"]}, "data is a list; give a mapping"),
        ({"data": "a=b"}, "data is a str; give a mapping"),
        ({"data": {"a": {"b": [1, object()]}}}, "data.a.b[1] is a object"),
        ({"data": {"a": {1, 2}}}, "data.a is a set"),
        ({"data": {"a": b"x"}}, "data.a is a bytes"),
        ({"data": {"a": "\udcfc"}}, "data.a has bytes that are no UTF-8"),
        ({"data": {"\udcfc": "a"}}, "a name in data has bytes that are no UTF-8"),
        ({"msg": "\udcfc"}, "msg has bytes that are no UTF-8"),
        ({"data": {True: 1}}, "data has a name that is a bool"),
        ({"data": {"users": {}}}, "data has the name 'users'"),
        ({"data": {"a": 1}, "user": ""}, "user is empty"),
        ({"data": {"a": 1}, "user": "  "}, "user is empty"),
        ({"data": {"a": 1}, "user": 1}, "user is empty or no string"),
        ({"data": {"a": 1}, "data_prefix": ""}, "data_prefix is empty"),
        ({"users": {"u": {}}, "user": "v"}, "user and users are both given"),
        ({"users": ["u"]}, "users is a list; give a mapping of users to their data."),
        ({"users": {"u": ["a"]}}, "users.u is a list; give a mapping"),
        ({"users": {"u": {"a": {1, 2}}}}, "users.u.a is a set"),
        ({"users": {" ": {}}}, "users has an empty name"),
        ({"users": {True: {}}}, "users has a name that is a bool"),
        ({"data": {"a": 1}, "repeats": ["A: {}"]}, "repeats is not a mapping of messages to names of data"),
        ({"data": {"a": 1}, "repeats": {"A: {}": 1}}, "repeats is not a mapping of messages to names of data"),
        ({"data": {"a": 1}, "repeats_of": "a"}, "repeats_of is a str; give a list of names of data."),
    ],
)
def test_refuses_in_one_sentence(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserInfoError) as caught:
        parse_entry(arguments)
    assert words in str(caught.value)


def test_takes_what_agnosticd_takes() -> None:
    assert parse_entry({"msg": "a", "body": None, "user": None}) == Entry("a", None, {}, None)
    assert parse_entry({"msg": ["a", "b"], "user": "u"}) == Entry(["a", "b"], None, {}, "u")
    assert parse_entry({"msg": 8080}).msg == "8080"
    assert parse_entry({"data": {}, "user": "u"}) == Entry(None, None, {}, "u")
    assert parse_entry({"data": {"a": 1, 2: "b"}, "data_prefix": "x_"}).data == {"x_a": 1, "x_2": "b"}
    assert parse_entry({"data": {"users": 1}, "data_prefix": "x_"}).data == {"x_users": 1}
    assert parse_entry({"data": {"users": 1}, "user": "u"}).data == {"users": 1}


def test_many_users_in_one_call_equal_one_call_for_each() -> None:
    many = {"msg": "all", "data": {"a": 1}, "users": {"u": {"k": 2, "l": 3}, "v": {}, 4: {"k": 5}}, "data_prefix": "x_"}
    before: tuple[list[str], list[str], dict[str, Any]] = (["old"], [], {"users": {"u": {"x_k": 0, "msg": "one"}, "w": None}})
    at_once = merged(*before, parse_entry(many))
    assert at_once[2] == {"x_a": 1, "users": {"u": {"x_k": 2, "x_l": 3, "msg": "one"}, "v": {}, "4": {"x_k": 5}, "w": None}}
    assert merged(*at_once, parse_entry(many)) == at_once
    calls = for_agnosticd(many)
    assert calls == [
        {"msg": "all", "data": {"a": 1}, "data_prefix": "x_"},
        {"user": "u", "data": {"k": 2, "l": 3}, "data_prefix": "x_"},
        {"user": "v", "data": {}, "data_prefix": "x_"},
        {"user": "4", "data": {"k": 5}, "data_prefix": "x_"},
    ]
    one_by_one = before
    for call in calls:
        one_by_one = merged(*one_by_one, parse_entry(call))
    assert one_by_one == at_once
    assert for_agnosticd({"users": {"u": {"k": 1}}}) == [{"user": "u", "data": {"k": 1}}]
    for without in ({"msg": "a", "user": "u"}, {"data": {}}, {"body": "b", "data_prefix": "p_"}):
        assert for_agnosticd(without) == [without]

    assert for_agnosticd({"msg": ["a", "b"], "data": {"c": 1}, "repeats": {"A: {}": "c"}}) == [{"msg": "a", "data": {"c": 1}}, {"msg": "b"}]
    assert for_agnosticd({"msg": ["a", "b"], "user": "u"}) == [{"msg": "a", "user": "u"}, {"msg": "b", "user": "u"}]


REPEATS = {"repeats": {"Key: {}": "key", "{} keys": "count"}, "repeats_of": ["alias"]}
SAVED: tuple[list[str], list[str], dict[str, Any]] = (["Hello", "Key: old", "3 keys", "Bye"], [], {"key": "old", "count": 3, "alias": "a"})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"key": "new"}, ["Hello", "Key: new", "3 keys", "Bye"]),
        ({"key": "new", "alias": "a", "count": 4}, ["Hello", "Key: new", "4 keys", "Bye"]),
        ({"key": "old"}, ["Hello", "Key: old", "3 keys", "Bye"]),
        ({"key": "new", "alias": "b"}, ["Hello", "Key: old", "3 keys", "Bye"]),
        ({"other": 1}, ["Hello", "Key: old", "3 keys", "Bye"]),
    ],
)
def test_messages_that_repeat_data_follow_it_unless_they_are_about_something_else(data: dict[str, Any], expected: list[str]) -> None:
    assert merged(*SAVED, parse_entry({"data": data, **REPEATS}))[0] == expected


def test_a_message_that_is_there_already_is_not_doubled_by_following() -> None:
    info, body, data = SAVED
    assert merged([*info, "Key: new"], body, data, parse_entry({"data": {"key": "new"}, **REPEATS}))[0] == ["Hello", "3 keys", "Bye", "Key: new"]
    assert merged(["Key: old", "Key: old"], body, data, parse_entry({"data": {"key": "new"}, **REPEATS}))[0] == ["Key: new"]


class Text(str):
    """Stands in for the classes with which ansible-core marks strings."""


class Number(int):
    pass


class Fraction(float):
    pass


class Moment(datetime.datetime):
    pass


class Day(datetime.date):
    pass


class Names(dict):  # type: ignore[type-arg]
    pass


class Items(list):  # type: ignore[type-arg]
    pass


class Vaulted:
    __ENCRYPTED__ = True

    def __str__(self) -> str:
        return "opened"


def test_plain_leaves_nothing_of_ansible() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    value = Names(
        {
            Text("a"): Items([Text("x"), Number(3), Fraction(1.5), True, None]),
            Number(4): Moment(2026, 1, 2, 3, tzinfo=zone),
            "c": Day(2026, 1, 2),
            "d": Vaulted(),
        }
    )
    clean = plain_value(value, "data")
    assert clean == {"a": ["x", 3, 1.5, True, None], "4": datetime.datetime(2026, 1, 2, 3, tzinfo=zone), "c": datetime.date(2026, 1, 2), "d": "opened"}
    assert clean.__class__ is dict and clean["a"].__class__ is list
    assert [type(item) for item in clean["a"]] == [str, int, float, bool, type(None)]
    assert {type(name) for name in clean} == {str}
    assert [type(clean[name]) for name in "4cd"] == [datetime.datetime, datetime.date, str]


# --------------------------------------------------------------------------------------------------------------- merging
def test_messages_are_added_once() -> None:
    info, _body, _data = merged(["a", "b", "c"], [], {}, parse_entry({"msg": ["b", "c"]}))
    assert info == ["a", "b", "c"]
    info, _body, _data = merged(["a", "b", "c"], [], {}, parse_entry({"msg": ["a", "c"]}))
    assert info == ["a", "b", "c", "a", "c"]


def test_user_has_messages_as_one_string() -> None:
    _info, _body, data = merged(
        [], [], {"a": 1, "users": {"u": {"msg": "one", "k": 1}, "v": None}}, parse_entry({"user": "u", "msg": ["two", "three"], "data": {"k": 2}})
    )
    assert data == {"a": 1, "users": {"u": {"msg": "one\ntwo\nthree", "k": 2}, "v": None}}
    assert merged([], [], data, parse_entry({"user": "u", "msg": "two\nthree"}))[2] == data
    assert merged([], [], data, parse_entry({"user": "v", "body": "text"}))[2]["users"]["v"] == {"body": "text"}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.text("{}%'\"\\\n\r\t :#-?&*!|>@`,[]~yn0123456789.e\x85\u2028\ufeff\x00\x07\U0001f600", max_size=12)
    | st.dates()
    | st.datetimes(min_value=datetime.datetime(1000, 1, 1)),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=6), children, max_size=4),
    max_leaves=12,
)
NAMES = st.text(min_size=1, max_size=8)
ENTRIES = st.one_of(
    st.builds(lambda data: {"data": data}, st.dictionaries(NAMES.filter(lambda name: name != "users"), VALUES, max_size=4)),
    st.builds(lambda msg: {"msg": msg}, st.text() | st.lists(st.text(), max_size=3)),
    st.builds(lambda body: {"body": body}, st.text()),
    st.builds(lambda users: {"users": users}, st.dictionaries(NAMES.filter(str.strip), st.dictionaries(NAMES, VALUES, max_size=3), max_size=3)),
    st.builds(lambda user, msg, data: {"user": user, "msg": msg, "data": data}, NAMES.filter(str.strip), st.text(), st.dictionaries(NAMES, VALUES, max_size=3)),
)


def exactly(value: Any) -> Any:
    """Return the values with their types, because True == 1."""
    if isinstance(value, dict):
        return {name: exactly(item) for name, item in value.items()}
    return [exactly(item) for item in value] if isinstance(value, list) else (type(value), value)


@pytest.mark.parametrize("dumper", [yaml.CSafeDumper, yaml.SafeDumper])
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@example(data={"a": "\x00 \x1b \ufffe", "{{ b }}": "{{ c }}"})
@given(data=st.dictionaries(NAMES, VALUES, max_size=5))
def test_values_survive_yaml(monkeypatch: pytest.MonkeyPatch, dumper: Any, data: dict[str, Any]) -> None:
    monkeypatch.setattr(user_info, "_Dumper", dumper)
    text = user_info._dump(plain_value(data, "data"))
    text.encode("ascii")
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        assert exactly(yaml.load(text, Loader=loader)) == exactly(data)


@given(st.lists(ENTRIES, max_size=6))
def test_adding_again_changes_nothing(entries: list[dict[str, Any]]) -> None:
    files: tuple[list[str], list[str], dict[str, Any]] = ([], [], {})
    for entry in entries:
        files = merged(*files, parse_entry(entry))
        assert merged(*files, parse_entry(entry)) == files


# ----------------------------------------------------------------------------------------------------------------- files
def test_formats_are_agnosticds(tmp_path: Path) -> None:
    """The files are as agnosticd.core's plugin writes them and its completion callback reads them."""
    assert add(tmp_path, msg="one") == ["provision-user-info.yaml"]
    assert add(tmp_path, msg=["two", "ü: 'x'"], data={"a": 1}) == ["provision-user-info.yaml", "provision-user-data.yaml"]
    assert add(tmp_path, body="long") == ["provision-user-body.yaml"]
    assert add(tmp_path, user="user1", msg=["m", "n"], data={"k": "v"}) == ["provision-user-data.yaml"]
    assert add(tmp_path, user="user1", body="text") == ["provision-user-data.yaml"]
    assert saved(tmp_path, "info") == ["one", "two", "ü: 'x'"]
    assert saved(tmp_path, "body") == ["long"]
    assert saved(tmp_path, "data") == {"a": 1, "users": {"user1": {"k": "v", "msg": "m\nn", "body": "text"}}}
    assert (tmp_path / "provision-user-data.yaml").read_text().startswith("---\n")


def test_goes_on_from_the_files_that_agnosticd_creates(tmp_path: Path) -> None:
    for kind in ("info", "data"):
        (tmp_path / f"provision-user-{kind}.yaml").write_text("---\n")
        (tmp_path / f"user-{kind}.yaml").symlink_to(tmp_path / f"provision-user-{kind}.yaml")
    (tmp_path / "provision-user-body.yaml").touch()
    add(tmp_path, msg="one", data={"a": 1})
    add(tmp_path, body="text")
    assert yaml.safe_load((tmp_path / "user-info.yaml").read_text()) == ["one"]
    assert yaml.safe_load((tmp_path / "user-data.yaml").read_text()) == {"a": 1}
    assert (tmp_path / "user-data.yaml").is_symlink()


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "provision-user-data.yaml").symlink_to(tmp_path / "archive" / "data.yaml")
    add(tmp_path, data={"a": 1})
    assert (tmp_path / "provision-user-data.yaml").is_symlink()
    assert saved(tmp_path, "data") == {"a": 1}
    assert [path.name for path in (tmp_path / "archive").iterdir()] == ["data.yaml"]


def test_each_action_has_its_own_files(tmp_path: Path) -> None:
    add(tmp_path, "destroy", msg="gone")
    assert saved(tmp_path, "info", "destroy") == ["gone"]
    assert not (tmp_path / "provision-user-info.yaml").exists()
    for action in ("../x", "a b", "", "a/b", "x\n"):
        with pytest.raises(UserInfoError, match="ACTION"):
            Directory(tmp_path, action)


def test_changed_is_what_changed_the_file(tmp_path: Path) -> None:
    add(tmp_path, msg="m", data={"a": 1}, user=None)
    before = (tmp_path / "provision-user-data.yaml").stat()
    assert add(tmp_path, msg="m", data={"a": 1}) == []
    after = (tmp_path / "provision-user-data.yaml").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert add(tmp_path, data={"a": True}) == ["provision-user-data.yaml"]
    assert saved(tmp_path, "data") == {"a": True}


def test_check_writes_nothing(tmp_path: Path) -> None:
    nowhere = tmp_path / "new"
    assert add(nowhere, check=True, msg="m", data={"a": 1}) == ["provision-user-info.yaml", "provision-user-data.yaml"]
    assert list(tmp_path.iterdir()) == []


def test_files_are_private_to_their_owner(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        (tmp_path / "provision-user-info.yaml").write_text("---\n")  # AgnosticD creates it readable by everybody
        add(tmp_path / "out" / "new", data={"a": 1})
        add(tmp_path, msg="m", data={"a": 1})
    finally:
        os.umask(old)
    for path in (tmp_path / "provision-user-info.yaml", tmp_path / "provision-user-data.yaml", tmp_path / user_info.LOCK):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "out" / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"a: {SECRET}\n b: [", "is not YAML in line 2"),
        (f"a: *{SECRET}\n", "is not YAML in line 1"),
        (b"a: \xff\xfe\n", "is not YAML;"),
        (f"a: 2026-99-99 # {SECRET}\n", "is not YAML;"),
        (f"- {SECRET}\n", "has a list where AgnosticD keeps a dict"),
        (SECRET, "has a str where"),
        (f"users: [{SECRET}]\n", "under 'users'"),
        (f"users: {{user1: {SECRET}}}\n", "under 'users'"),
        ("!!python/object:os.system {}", "is not YAML in line 1"),
    ],
)
def test_broken_file_is_named_and_left(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = tmp_path / "provision-user-data.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(UserInfoError) as caught:
        add(tmp_path, msg="also a message", data={"a": 1})
    assert words in str(caught.value) and str(path) in str(caught.value) and SECRET not in str(caught.value)
    assert path.read_bytes() == before
    assert not (tmp_path / "provision-user-info.yaml").exists()  # nor was anything else written


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserInfoError, match=r"output_dir .*/file/out cannot be written \(Not a directory\)"):
        add(tmp_path / "file" / "out", msg="m")


def test_directory_of_somebody_else(tmp_path: Path) -> None:
    """Root may write anywhere, so a child that is already in the directory gives up root."""
    tmp_path.chmod(0o555)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.chdir(tmp_path)
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            add(Path("."), msg="m")
            os.write(writer, b"written")
        except UserInfoError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    tmp_path.chmod(0o755)
    assert os.read(reader, 4096).decode() == "output_dir . cannot be written (Permission denied); name a directory that can."


def test_no_room_on_the_disk(tmp_path: Path) -> None:
    """A limit on the size of files, which needs no privileges, makes the kernel refuse the write half way."""
    add(tmp_path, data={"small": SECRET})
    path = tmp_path / "provision-user-data.yaml"
    before = path.read_bytes()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            add(tmp_path, data={"large": "x" * 20_000})
        except UserInfoError as error:
            os._exit(0 if f"{path} cannot be written (File too large); it was left as it was" in str(error) else 2)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert path.read_bytes() == before
    assert sorted(found.name for found in tmp_path.iterdir()) == [user_info.LOCK, "provision-user-data.yaml"]


TINY_DISK = ["unshare", "--user", "--map-root-user", "--mount"]


def _can_mount() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*TINY_DISK, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not _can_mount(), reason="this machine lets nobody mount a file system of their own; the limit of a file's size is tested above")
def test_full_disk(tmp_path: Path) -> None:
    script = tmp_path / "fill.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from ansible_collections.rhpds.litellm_virtual_keys.plugins.plugin_utils.user_info import Directory, UserInfoError, parse_entry\n"
        "place = Path(sys.argv[1])\n"
        "Directory(place).add(parse_entry({'data': {'a': 1}}))\n"
        "before = (place / 'provision-user-data.yaml').read_bytes()\n"
        "try:\n"
        "    Directory(place).add(parse_entry({'data': {'b': 'x' * 200_000}}))\n"
        "except UserInfoError as error:\n"
        "    print(error)\n"
        "assert (place / 'provision-user-data.yaml').read_bytes() == before\n"
        "Directory(place).add(parse_entry({'data': {'b': 'x'}}))\n"
        "print(sorted(path.name for path in place.iterdir()))\n"
    )
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        [*TINY_DISK, "sh", "-c", 'mount -t tmpfs -o size=64k none "$1" && exec "$2" "$3" "$1"', "sh", str(disk), sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be written (No space left on device); it was left as it was" in done.stdout
    assert "['.user-info.lock', 'provision-user-data.yaml']" in done.stdout


def _write_many(directory: Path, writer: int, count: int) -> None:
    for number in range(count):
        add(directory, msg=f"{writer}.{number}", data={f"w{writer}_{number}": number})
        add(directory, user=f"user{writer}", msg=f"{number}", data={f"k{number}": number})


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    writers, count = 20, 5
    processes = [multiprocessing.get_context("fork").Process(target=_write_many, args=(tmp_path, writer, count)) for writer in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    data = saved(tmp_path, "data")
    users = data.pop("users")
    assert data == {f"w{writer}_{number}": number for writer in range(writers) for number in range(count)}
    assert sorted(saved(tmp_path, "info")) == sorted(f"{writer}.{number}" for writer in range(writers) for number in range(count))
    assert users == {
        f"user{writer}": {"msg": "\n".join(map(str, range(count))), **{f"k{number}": number for number in range(count)}} for writer in range(writers)
    }


def _write_until_killed(directory: Path, done: Path) -> None:
    with done.open("a") as log:
        for number in range(10_000):
            add(directory, data={f"{os.getpid()}_{number}": "x" * 50})
            log.write(f"{os.getpid()}_{number}\n")
            log.flush()


def test_killed_writers_leave_whole_files(tmp_path: Path) -> None:
    """Kill writers at any moment: the file stays readable and has everything that a writer reported as written."""
    directory, done = tmp_path / "out", tmp_path / "done"
    done.touch()
    chance = random.Random(7)
    for _turn in range(25):
        before = done.stat().st_size
        process = multiprocessing.get_context("fork").Process(target=_write_until_killed, args=(directory, done))
        process.start()
        while done.stat().st_size == before:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.02))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        found = Directory(directory).read_data()
        assert set(done.read_text().split()) <= set(found)


def test_waits_only_for_a_limited_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_info, "LOCK_SECONDS", 0.05)
    with Directory(tmp_path)._locked(), pytest.raises(UserInfoError, match="locked by another program"):
        add(tmp_path, msg="m")
    assert add(tmp_path, msg="m") == ["provision-user-info.yaml"]


def test_error_while_renaming_leaves_no_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserInfoError, match=r"\(Input/output error\)"):
        add(tmp_path, data={"a": SECRET})
    assert [path.name for path in tmp_path.iterdir()] == [user_info.LOCK]


# ------------------------------------------------------------------------------------------------------------- variables
def test_variables_of_the_host_come_before_those_of_localhost() -> None:
    def same(value: Any) -> Any:
        return value

    localhost = {"output_dir": "/l", "ACTION": "destroy"}
    assert user_info.directory({"output_dir": "/h", "hostvars": {"localhost": localhost}}, same) == Path("/h")
    assert user_info.directory({"hostvars": {"localhost": localhost}}, same) == Path("/l")
    assert user_info.directory({"output_dir": "", "hostvars": {}}, same) is None
    assert user_info.directory({}, same) is None
    assert user_info.action({"hostvars": {"localhost": localhost}}, same) == "destroy"
    assert user_info.action({"agnosticd_action": "remove", "ACTION": "x", "hostvars": {"localhost": localhost}}, same) == "remove"
    assert user_info.action({}, same) == "provision"


def test_data_is_what_json_and_yaml_agree_on(tmp_path: Path) -> None:
    """The completion callback forwards the files as JSON."""
    add(tmp_path, data={"n": {1: {"two": [None, True]}}, "text": "yes"}, msg="m")
    assert json.loads(json.dumps(saved(tmp_path, "data"))) == {"n": {"1": {"two": [None, True]}}, "text": "yes"}
