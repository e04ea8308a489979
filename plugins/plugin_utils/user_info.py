# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""AgnosticD's user info: the entry that one call adds, and files that are written without losing anything.

The files of an action lie in AgnosticD's `output_dir` (formats as agnosticd.core and AgnosticD's completion callback have them):

- `{action}-user-info.yaml`: a list of strings, the messages to everybody;
- `{action}-user-body.yaml`: a list of strings, longer texts to everybody;
- `{action}-user-data.yaml`: a mapping of names to values, and under `users` one more for each user, with the messages and
  texts to that user as one string each, `msg` and `body`.

An empty file, or one with only `---`, counts as missing, because AgnosticD creates such files.

`parse_entry` and `merged` do no I/O. `Directory` reads and writes. No error contains a value or a part of a file.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..module_utils.common import private_file
from ..module_utils.common.file_lock import open_lock, take_lock

LOCK = ".user-info.lock"
LOCK_SECONDS = 60
"""How long a writer waits for the others, of which each takes milliseconds."""

# libyaml is about ten times as fast, and every wheel of PyYAML contains it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_ONE_LINE = 2**31 - 1
OPTIONS = ("msg", "body", "data", "data_prefix", "user", "users", "of_action", "repeats", "repeats_of")
OPTIONS_OF_AGNOSTICD = ("msg", "body", "data", "data_prefix", "user")
_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class UserInfoError(Exception):
    """User info cannot be read or written. The message is one sentence with the cause and the next step."""


# ----------------------------------------------------------------------------------------------------------------- entry
@dataclass(frozen=True)
class Entry:
    """The messages and data of one call. At most one of `msg` and `body` is given."""

    msg: str | list[str] | None
    body: str | None
    data: dict[str, Any]
    user: str | None
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Data of many users; empty when `user` is given."""
    repeats: dict[str, str] = field(default_factory=dict)
    """Messages to everybody that repeat data, with `{}` for the value, and the name of the data in each."""
    repeats_of: tuple[str, ...] = ()
    """The names of data by which one can tell that messages repeat these data, not others."""

    @property
    def messages(self) -> list[str]:
        if self.msg is None:
            return []
        return [self.msg] if isinstance(self.msg, str) else self.msg


def parse_entry(arguments: Mapping[str, Any]) -> Entry:
    """Return the entry that a task's arguments (OPTIONS) describe. None counts as not given.

    Raises UserInfoError for invalid arguments.
    """
    unknown = sorted(str(name) for name in arguments if name not in OPTIONS)
    if unknown:
        raise UserInfoError(f"There is no option {', '.join(unknown)}; the options are {', '.join(OPTIONS)}.")
    given = {name: value for name, value in arguments.items() if value is not None}
    if not {"msg", "body", "data", "users"} & given.keys():
        raise UserInfoError("There is nothing to tell; give msg, body, data or users.")
    for one, other in (("msg", "body"), ("user", "users")):
        if {one, other} <= given.keys():
            raise UserInfoError(f"{one} and {other} are both given; use two tasks.")
    for name in ("user", "data_prefix"):
        if name in given and not (isinstance(given[name], str) and given[name].strip()):
            raise UserInfoError(f"{name} is empty or no string; give a name, or leave {name} out.")
    prefix = _text(given.get("data_prefix", ""), "data_prefix")
    data = _data(given.get("data", {}), "data", prefix)
    users = given.get("users", {})
    if not isinstance(users, Mapping):
        raise UserInfoError(f"users is a {_kind(users)}; give a mapping of users to their data.")
    by_user = {_name(name, "users"): _data(values, f"users.{name}", prefix) for name, values in users.items()}
    if not all(name.strip() for name in by_user):
        raise UserInfoError("users has an empty name; give each user a name.")
    user = _text(given["user"], "user") if "user" in given else None
    if user is None and "users" in data:
        raise UserInfoError("data has the name 'users', under which AgnosticD keeps what it knows of each user; use the option user.")
    msg, body = given.get("msg"), given.get("body")
    if isinstance(msg, (list, tuple)):
        msg = [_message(line, f"msg[{number}]") for number, line in enumerate(msg)]
    elif msg is not None:
        msg = _message(msg, "msg", " or a list of strings")
    repeats, repeats_of = plain_value(given.get("repeats", {}), "repeats"), plain_value(given.get("repeats_of", []), "repeats_of")
    if not isinstance(repeats, dict) or not all(isinstance(name, str) for name in repeats.values()):
        raise UserInfoError("repeats is not a mapping of messages to names of data; give one such as {'Key: {}': 'key'}.")
    if not isinstance(repeats_of, list):
        raise UserInfoError(f"repeats_of is a {_kind(repeats_of)}; give a list of names of data.")
    return Entry(msg, None if body is None else _message(body, "body"), data, user, by_user, repeats, tuple(map(str, repeats_of)))


def _data(given: Any, name: str, prefix: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise UserInfoError(f"{name} is a {_kind(given)}; give a mapping of names to values.")
    return {prefix + key: value for key, value in plain_value(given, name).items()}


def _message(message: Any, name: str, or_else: str = "") -> str:
    if isinstance(message, (str, int, float)):  # a template such as {{ port }} makes a number
        return str(plain_value(message, name))
    raise UserInfoError(f"{name} is a {_kind(message)}; give a string{or_else}.")


def plain_value(value: Any, name: str) -> Any:
    """Return `value` in plain Python types, without ansible-core's tags. `name` is its place, for errors.

    Names become strings, as in the JSON that AgnosticD sends on. Raises UserInfoError for types that YAML does not have.
    """
    if value is None or isinstance(value, bool):
        return value
    if getattr(value, "__ENCRYPTED__", False):  # a vaulted value before ansible-core 2.19
        return str(value)
    if isinstance(value, str):
        return _text(value, name)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, datetime.datetime):
        return datetime.datetime.combine(value.date(), value.timetz())
    if isinstance(value, datetime.date):
        return datetime.date(value.year, value.month, value.day)
    if isinstance(value, Mapping):
        return {_name(key, name): plain_value(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(item, f"{name}[{number}]") for number, item in enumerate(value)]
    raise UserInfoError(f"{name} is a {_kind(value)}, which the YAML of user data does not have; convert it to a string.")


def _name(key: Any, name: str) -> str:
    if isinstance(key, str):
        return _text(key, f"a name in {name}")
    if isinstance(key, int) and not isinstance(key, bool):
        return int.__repr__(key)
    raise UserInfoError(f"{name} has a name that is a {_kind(key)}; put it in quotes.")


def _text(text: str, name: str) -> str:
    """Return the text as a plain str, the only string type that YAML's writer accepts."""
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of another encoding, which Python carries as halves of surrogate pairs
        raise UserInfoError(f"{name} has bytes that are no UTF-8; convert it to UTF-8.") from None
    return str.__str__(text)


def _kind(value: object) -> str:
    return next((known.__name__ for known in (dict, list, str, bool, int, float, bytes, set) if isinstance(value, known)), type(value).__name__)


def for_agnosticd(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the arguments as calls of AgnosticD's own plugin, which takes one user at a time."""
    shared = {name: value for name, value in arguments.items() if name in OPTIONS_OF_AGNOSTICD}
    by_user = [{"user": str(user), "data": data} for user, data in (arguments.get("users") or {}).items()]
    prefix = {name: value for name, value in shared.items() if name == "data_prefix"}
    if isinstance(shared.get("msg"), (list, tuple)):
        first, *others = shared["msg"] or [None]
        calls = [{**shared, "msg": first}, *({**{name: shared[name] for name in ("user",) if name in shared}, "msg": line} for line in others)]
    else:
        calls = [shared]
    if by_user and not any(call.get(name) for call in calls for name in ("msg", "body", "data")):
        calls = []
    return calls + [{**prefix, **call} for call in by_user]


# --------------------------------------------------------------------------------------------------------------- merging
def merged(info: list[str], body: list[str], data: dict[str, Any], entry: Entry) -> tuple[list[str], list[str], dict[str, Any]]:
    """Return the contents of the three files with the entry added. Adding an entry twice changes nothing."""
    new_body = [] if entry.body is None else [entry.body]
    users = data.get("users") or {}
    if entry.user is None:
        info = _repeated(info, entry, data)
        data = {**data, **entry.data}
        if entry.users:
            data["users"] = {**users, **{name: {**(users.get(name) or {}), **values} for name, values in entry.users.items()}}
        return _with(info, entry.messages), _with(body, new_body), data
    user = {**(users.get(entry.user) or {}), **entry.data}
    for name, lines in (("msg", entry.messages), ("body", new_body)):
        if lines:
            user[name] = "\n".join(_with(_lines(user.get(name)), "\n".join(lines).split("\n")))
    return info, body, {**data, "users": {**users, entry.user: user}}


def _repeated(info: list[str], entry: Entry, data: Mapping[str, Any]) -> list[str]:
    """Return the messages with the new values in place of those that the data had so far."""
    new = {**data, **entry.data}
    if any(name in data and data[name] != new[name] for name in entry.repeats_of):
        return info
    outdated = {
        form.replace("{}", str(data[name])): form.replace("{}", str(new[name]))
        for form, name in entry.repeats.items()
        if name in data and data[name] != new[name]
    }
    lines: list[str] = []
    for line in info:
        if line not in outdated:
            lines.append(line)
        elif outdated[line] not in info and outdated[line] not in lines:
            lines.append(outdated[line])
    return lines


def _with(existing: list[str], block: Sequence[str]) -> list[str]:
    """Return the lines with the block appended, unless they already contain it."""
    size = len(block)
    if any(existing[start : start + size] == list(block) for start in range(len(existing) - size + 1)):
        return existing
    return [*existing, *block]


def _lines(text: Any) -> list[str]:
    return [] if text is None else str(text).split("\n")


# ----------------------------------------------------------------------------------------------------------------- files
class Directory:
    """AgnosticD's `output_dir` with the files of one action."""

    def __init__(self, directory: Path, action: str = "provision") -> None:
        if not _ACTION.fullmatch(action):
            raise UserInfoError("ACTION is no word such as provision or destroy, by which user info files are named; correct it.")
        self.directory = directory
        # AgnosticD links user-data.yaml to the file of provisioning; the file is replaced, never the link.
        self.info, self.body, self.data = ((directory / f"{action}-user-{kind}.yaml").resolve() for kind in ("info", "body", "data"))

    def add(self, entry: Entry, *, check: bool = False) -> list[str]:
        """Add the entry to the files, and return the paths of the changed ones. With `check`, only predict them.

        All files are read and checked before the first is written.
        Raises UserInfoError, and then each file has its old or its new content, never a part of it.
        """
        if check:
            return [str(path) for path, _text in self._changes(entry)]
        with self._locked():
            changes = self._changes(entry)
            for path, text in changes:
                _replace(path, text)
        return [str(path) for path, _text in changes]

    def read_data(self) -> dict[str, Any]:
        """Return the data of the whole lab and, under `users`, of each user; empty if nothing was saved."""
        data: dict[str, Any] = _read(self.data, dict)
        users = data.get("users") or {}
        if not isinstance(users, dict) or not all(user is None or isinstance(user, dict) for user in users.values()):
            raise UserInfoError(f"{self.data} has no mapping of names to data under 'users'; repair or remove it.")
        return data

    def _changes(self, entry: Entry) -> list[tuple[Path, str]]:
        before = (_read_list(self.info), _read_list(self.body), self.read_data())
        after = merged(*before, entry)
        files = zip((self.info, self.body, self.data), before, after, strict=True)
        return [(path, _dump(new)) for path, old, new in files if repr(new) != repr(old)]  # by !=, True would equal 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one writer in at a time, on one host or several that share the directory."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = open_lock(self.directory / LOCK)
        except OSError as error:
            raise UserInfoError(f"output_dir {self.directory} cannot be written ({error.strerror}); name a directory that can.") from None
        try:
            if not take_lock(handle, LOCK_SECONDS):
                raise UserInfoError(f"{self.directory / LOCK} has been locked by another program for {LOCK_SECONDS} s; end that program and run again.")
            yield
        finally:
            os.close(handle)


def _read(path: Path, kind: type) -> Any:
    """Return the content of the file, or an empty `kind` if it is missing."""
    try:
        content = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 # one of the two safe ones
    except FileNotFoundError:
        return kind()
    except OSError as error:
        raise UserInfoError(f"{path} cannot be read ({error.strerror}); it was left as it is.") from None
    except yaml.MarkedYAMLError as error:  # its message may quote the file
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserInfoError(f"{path} is not YAML{line}; repair or remove it.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise UserInfoError(f"{path} is not YAML; repair or remove it.") from None
    if content is None:
        return kind()
    if not isinstance(content, kind):
        raise UserInfoError(f"{path} has a {_kind(content)} where AgnosticD keeps a {kind.__name__}; repair or remove it.")
    return content


def _read_list(path: Path) -> list[str]:
    content: list[str] = _read(path, list)
    return content


def _dump(content: object) -> str:
    # In ASCII, as AgnosticD writes it, because its readers open the file in the encoding of their locale.
    text: str = yaml.dump(content, Dumper=_Dumper, explicit_start=True, default_flow_style=False, width=_ONE_LINE)
    return text


def _replace(path: Path, text: str) -> None:
    """Replace the file in one step. The caller holds the lock, because the scratch file has a fixed name."""
    try:
        private_file.replace_locked(path, text.encode("ascii"), path.with_name(f".{path.name}.new"))
    except OSError as error:
        raise UserInfoError(f"{path} cannot be written ({error.strerror}); it was left as it was, so correct this and run again.") from None
    with suppress(OSError):  # some file systems cannot flush directories
        private_file.flush(path.parent)


# ------------------------------------------------------------------------------------------------------- AgnosticD's own
def own_plugin(names: Sequence[str], is_installed: Callable[[str], bool]) -> str | None:
    """Return the first of these plugins that is installed. Looking in a collection that is not installed would print a warning."""
    return next((name for name in names if _is_installed(name.rpartition(".")[0]) and is_installed(name)), None)


def _is_installed(collection: str) -> bool:
    if collection == "ansible.legacy":  # plugins beside playbooks
        return True
    try:
        return importlib.util.find_spec(f"ansible_collections.{collection}") is not None
    except ModuleNotFoundError:
        return False


# ------------------------------------------------------------------------------------------------------------- variables
def directory(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> Path | None:
    """Return AgnosticD's `output_dir`, or None if it is not set, as outside of AgnosticD."""
    value = _variable("output_dir", variables, template)
    return Path(str(value)).expanduser() if value else None


def action(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> str:
    """Return the action: `agnosticd_action`, else `ACTION`, else provision, in AgnosticD's order."""
    named = (_variable(name, variables, template) for name in ("agnosticd_action", "ACTION"))
    return next((str(value) for value in named if value), "provision")


def _variable(name: str, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> Any:
    """Return a variable of this host, else of localhost, where AgnosticD sets its variables."""
    value = template(variables.get(name))
    hosts = variables.get("hostvars", {})
    return value if value or "localhost" not in hosts else hosts["localhost"].get(name)
