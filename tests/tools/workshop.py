# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Run a command with pinned tools, from inside an `ansible_collections` tree, installing what is missing first.

    workshop.py run lint ruff check .             with the tools of tests/requirements/lint.txt
    workshop.py run core-2.20@3.12 pytest ...     the same for a certain Python
    workshop.py run --collections test pytest ... also with third-party collections on the path
    workshop.py setup test lint collections       only install
    workshop.py pins                              rewrite tests/requirements/*.txt and those of key_portal from the *.in beside them

Everything is installed in the cache, outside of the checkout: LITELLM_VIRTUAL_KEYS_CACHE, or else the folder
rhpds-litellm-virtual-keys in XDG_CACHE_HOME or ~/.cache. The name of a folder contains a hash of its pins and its Python:
changed pins make a new folder, and a second run finds the first one's. This program uses only the standard library and
the syntax of Python 3.8, so that an old `python3` can still find a newer one.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = CHECKOUT / "tests" / "requirements"
PORTAL_FILES = CHECKOUT / "roles" / "key_portal" / "files"
WEB_PACKAGES = PORTAL_FILES / "web"
# What is installed on the machines of others, each package with its hashes: the portal, the worker, Node for the pages, and Ansible in the image.
INSTALLED_REQUIREMENTS = (*(PORTAL_FILES / folder / "requirements.in" for folder in ("", "worker", "web")), CHECKOUT / "container" / "requirements.in")
NAMESPACE, NAME = "rhpds", "litellm_virtual_keys"

# The Pythons that ansible-core supports on the controller, according to the metadata and the support matrix of its releases,
# from 3.11 on, the oldest that the collection supports.
PYTHONS: dict[str, tuple[str, ...]] = {
    "core-2.17": ("3.11", "3.12"),
    "core-2.18": ("3.11", "3.12", "3.13"),
    "core-2.19": ("3.11", "3.12", "3.13"),
    "core-2.20": ("3.12", "3.13", "3.14"),
    "core-2.21": ("3.12", "3.13", "3.14"),
}
# The pins of every other tool set contain ansible-core 2.19.
DEFAULT_PYTHONS = PYTHONS["core-2.19"]

# Seconds that a first installation takes on two cores, as an estimate for the user.
TYPICAL_SECONDS = {"demo": 15, "test": 45, "drill": 45, "lint": 45, "collections": 15, "sdks": 30, "bench": 60, "platform": 40}

PIP_OPTIONS = ("--no-input", "--disable-pip-version-check", "--progress-bar=off")

# The tool sets with which the portal runs.
WITH_PAGES = ("test", "drill", "bench")

# The collections that are taken from the package `ansible`.
COLLECTIONS = ("awx.awx", "community.general", "community.postgresql", "kubernetes.core")


def say(message: str) -> None:
    print(f"setup: {message}", file=sys.stderr, flush=True)


def fail(message: str) -> NoReturn:
    say(message)
    raise SystemExit(1)


def cache() -> Path:
    """Return the folder for everything that the project installs."""
    if own := os.environ.get("LITELLM_VIRTUAL_KEYS_CACHE"):
        return Path(own).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "rhpds-litellm-virtual-keys"


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of one installation, so that two simultaneous makes do not build the same thing."""
    folder = cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is setting up {name}, waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run_logged(what: str, command: list[str | Path], log: Path) -> None:
    """Run a command with its output in a file; report every 15 seconds that it is running, and its last lines if it fails."""
    started = time.monotonic()
    with open(log, "ab") as output:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
            while True:
                try:
                    status = process.wait(timeout=15)
                    break
                except subprocess.TimeoutExpired:
                    say(f"{what}: still busy after {time.monotonic() - started:.0f} s")
    if status:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        fail(f"{what} failed with status {status}; the end of {log}:\n{tail}")


def version_of(python: str | Path) -> tuple[str, str] | None:
    """Return the version (3.11, 3.11.7) of an interpreter that can make virtual environments, or None."""
    probe = "import ensurepip, sys, venv; print('%d.%d %d.%d.%d' % (sys.version_info[:2] + sys.version_info[:3]))"
    try:
        answer = subprocess.run([python, "-I", "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    minor, full = answer.stdout.split()
    return minor, full


def interpreter(accepted: tuple[str, ...]) -> tuple[Path, str] | None:
    """Return an interpreter of an accepted version and its full version: the current one if it fits, or else the newest."""
    candidates: list[str | Path] = [sys.executable]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in reversed(accepted):
        if found := shutil.which(f"python{minor}"):
            candidates.append(found)
        candidates.extend(sorted(pyenv.glob(f"{minor}.*/bin/python{minor}"), reverse=True))
        candidates.append(f"/usr/bin/python{minor}")
    for candidate in candidates:
        version = version_of(candidate)
        if version and version[0] in accepted:
            return Path(candidate).resolve(), version[1]
    return None


def python_for(tool_set: str) -> tuple[str, Path, str]:
    """Parse `name` or `name@3.12`; return the name of the pins, the interpreter to use and its full version."""
    name, _separator, minor = tool_set.partition("@")
    accepted = PYTHONS.get(name, DEFAULT_PYTHONS)
    if minor:
        if minor not in accepted:
            fail(f"the tools '{name}' run on Python {', '.join(accepted)}, not on {minor}")
        accepted = (minor,)
    found = interpreter(accepted)
    if found is None:
        fail(
            f"no Python {' or '.join(accepted)} with its venv module is on this machine; install one "
            "(on Debian and Ubuntu: python3 and python3-venv) and try again"
        )
    return name, *found


def pins(name: str) -> Path:
    path = REQUIREMENTS / f"{name}.txt"
    if not path.is_file():
        known = sorted(each.stem for each in REQUIREMENTS.glob("*.txt"))
        fail(f"there are no tools '{name}', known are: {', '.join(known)}")
    return path


def about(name: str) -> str:
    return f"about {TYPICAL_SECONDS.get(name.partition('@')[0], 15)} s, once"


def environment(tool_set: str) -> Path:
    """Return the virtual environment of a tool set; build it if it is missing."""
    name, python, version = python_for(tool_set)
    requirements = pins(name)
    digest = hashlib.sha256(f"{version}\n{python}\n{requirements.read_text(encoding='utf-8')}".encode()).hexdigest()
    label = f"{name}-py{version}-{digest[:12]}"
    folder = cache() / "envs" / label
    complete = folder / "complete"
    # A folder without its mark was left by an interrupted run. A complete one cannot be moved into place instead,
    # because the scripts in a virtual environment name its path.
    if not (complete.exists() and (folder / "bin" / "python").exists()):
        with locked(label):
            if not (complete.exists() and (folder / "bin" / "python").exists()):
                say(f"installing the tools '{name}' for Python {version} ({about(name)})")
                started = time.monotonic()
                shutil.rmtree(folder, ignore_errors=True)
                folder.parent.mkdir(parents=True, exist_ok=True)
                log = folder.parent / f"{label}.log"
                log.unlink(missing_ok=True)
                run_logged(f"the virtual environment of '{name}'", [python, "-I", "-m", "venv", folder], log)
                install: list[str | Path] = [folder / "bin" / "python", "-I", "-m", "pip", "install", *PIP_OPTIONS]
                run_logged(f"pip for '{name}'", [*install, "-r", requirements], log)
                complete.touch()
                say(f"the tools '{name}' are ready after {time.monotonic() - started:.0f} s")
    return folder


def collections(python: Path) -> Path:
    """Return a folder with third-party collections, from the wheel of the package `ansible`, which the pip of `python` fetches."""
    requirements = pins("collections")
    wanted = " ".join(COLLECTIONS)
    digest = hashlib.sha256(f"{wanted}\n{requirements.read_text(encoding='utf-8')}".encode()).hexdigest()
    label = f"collections-{digest[:12]}"
    folder = cache() / "collections" / label
    if not folder.is_dir():
        with locked(label):
            if not folder.is_dir():
                say(f"fetching the collections {', '.join(COLLECTIONS)} ({about('collections')})")
                started = time.monotonic()
                building = folder.with_name(f"{label}.building")
                shutil.rmtree(building, ignore_errors=True)
                building.mkdir(parents=True)
                log = folder.with_name(f"{label}.log")
                log.unlink(missing_ok=True)
                download: list[str | Path] = [python, "-I", "-m", "pip", "download", *PIP_OPTIONS, "--no-deps", "--only-binary=:all:"]
                run_logged("fetching the package 'ansible'", [*download, "-d", building, "-r", requirements], log)
                (wheel,) = building.glob("ansible-*.whl")
                prefixes = tuple(f"ansible_collections/{each.replace('.', '/')}/" for each in COLLECTIONS)
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(building, [each for each in archive.namelist() if each.startswith(prefixes)])
                wheel.unlink()
                building.rename(folder)
                say(f"the collections are ready after {time.monotonic() - started:.0f} s")
    return folder


def web_packages() -> Path:
    """Return the folder node_modules of the portal's pages."""
    files = [WEB_PACKAGES / name for name in ("package.json", "package-lock.json", ".npmrc")]
    label = f"web-{hashlib.sha256(b''.join(each.read_bytes() for each in files)).hexdigest()[:12]}"
    folder = cache() / "web" / label
    if not folder.is_dir():
        npm = environment("node") / "bin" / "npm"
        with locked(label):
            if not folder.is_dir():
                say("fetching the packages of the portal's pages (about 5 s, once)")
                building = folder.with_name(f"{label}.building")
                shutil.rmtree(building, ignore_errors=True)
                building.mkdir(parents=True)
                for each in files:
                    shutil.copy(each, building)
                log = folder.with_name(f"{label}.log")
                log.unlink(missing_ok=True)
                quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error")
                run_logged("npm", [npm, "ci", "--prefix", building, *quiet], log)
                building.rename(folder)
    return folder / "node_modules"


def tree() -> Path:
    """Return the parent of an `ansible_collections` in which the checkout is linked as its collection."""
    root = cache() / "trees" / hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
    link = root / "ansible_collections" / NAMESPACE / NAME
    if not (link.is_symlink() and link.resolve() == CHECKOUT):
        with locked(f"tree-{root.name}"):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(CHECKOUT)
    return root


def run(tool_set: str, command: list[str], with_collections: bool) -> NoReturn:
    """Replace this process by the command, in the tree, with the tools first on the path."""
    folder = environment(tool_set)
    root = tree()
    where = root / "ansible_collections" / NAMESPACE / NAME
    roots = [root, collections(folder / "bin" / "python")] if with_collections else [root]
    environ = dict(os.environ)
    environ.update(
        ANSIBLE_COLLECTIONS_PATH=os.pathsep.join(map(str, roots)),
        # Settings in the user's home directory must not decide whether a test passes.
        ANSIBLE_CONFIG=str(CHECKOUT / "tests" / "ansible.cfg"),
        # ansible-test asks the kernel for its directory, and gets the checkout instead of the link.
        ANSIBLE_TEST_CONTENT_ROOT=str(where),
        LITELLM_VIRTUAL_KEYS_CACHE=str(cache()),
        MYPYPATH=str(root),
        PATH=os.pathsep.join([str(folder / "bin"), environ.get("PATH", os.defpath)]),
        PWD=str(where),
        # Compiled once for all processes and runs; the tests alone are 60 seconds of compiling. Nothing of it is left in the checkout.
        PYTHONPYCACHEPREFIX=str(cache() / "bytecode"),
        PYTHONPATH=str(root),
        VIRTUAL_ENV=str(folder),
    )
    if tool_set.partition("@")[0] in WITH_PAGES:
        environ["PORTAL_WEB_PACKAGES"] = str(web_packages())
    for variable in ("PYTHONHOME", "PYTHONDONTWRITEBYTECODE"):
        environ.pop(variable, None)
    os.chdir(where)
    try:
        os.execvpe(command[0], command, environ)
    except FileNotFoundError:
        fail(f"the tools '{tool_set}' have no command '{command[0]}'")


def renew_pins() -> None:
    """Pin the newest versions that the *.in files allow, each for all Pythons of its tool set. The portal's come first: the tests take its pins."""
    uv = environment("pins") / "bin" / "uv"
    for source in [*INSTALLED_REQUIREMENTS, *sorted(REQUIREMENTS.glob("*.in"))]:
        oldest = PYTHONS.get(source.stem, DEFAULT_PYTHONS)[0]
        command: list[str | Path] = [uv, "pip", "compile", "--quiet", "--upgrade", "--universal", "--no-annotate", "--no-header"]
        if source.stem == "collections":
            command.append("--no-deps")
        if source in INSTALLED_REQUIREMENTS:
            command.append("--generate-hashes")
        target = source.with_suffix(".txt")
        subprocess.run([*command, "--python-version", oldest, "-o", target, source], cwd=REQUIREMENTS, check=True)
        target.write_text(f"# Written by `make pins` from {source.name}.\n{target.read_text(encoding='utf-8')}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    setup = actions.add_parser("setup", help="only install")
    setup.add_argument("tool_sets", nargs="+", metavar="TOOLS")
    actions.add_parser("pins", help="write the pinned requirements anew")
    actions.add_parser("clean", help="remove everything that was installed")
    runner = actions.add_parser("run", help="install what is missing, then run a command")
    runner.add_argument("--collections", action="store_true", help="put the collections of others on the path")
    runner.add_argument("tool_set", metavar="TOOLS")
    runner.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.action == "run":
        run(arguments.tool_set, arguments.command, arguments.collections)
    if arguments.action == "pins":
        renew_pins()
        return
    if arguments.action == "clean":
        shutil.rmtree(cache(), ignore_errors=True)
        return
    tree()
    for each in arguments.tool_sets:
        if each in WITH_PAGES:
            web_packages()
        folder = environment("demo" if each == "collections" else each)
        print(collections(folder / "bin" / "python") if each == "collections" else folder)


if __name__ == "__main__":
    main()
