# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""The fixture `browser`: Chromium without a window, for the pages that the collection generates.

If Chromium is missing, root installs Debian's package; for other users the tests are skipped with a message that explains how to
install it. ``LITELLM_VIRTUAL_KEYS_TEST_PICTURES=<folder>`` keeps the pictures of pages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PACKAGE = "chromium"
INSTALL_SECONDS = 300
QUIET = (
    "--headless",
    "--no-sandbox",  # the sandbox does not work for root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Browser:
    """Opens files and addresses, each in a new profile that is deleted afterwards."""

    def __init__(self, program: str) -> None:
        self._program = program

    def dom(self, page: Path | str, *arguments: str) -> str:
        """Return the DOM of a page, a file or an address, as HTML."""
        return self._run(page, "--dump-dom", *arguments)

    def log(self, page: Path | str, *arguments: str) -> str:
        """Return what the browser logs about the page: errors of scripts, violations of its policy."""
        return self._run(page, "--enable-logging=stderr", "--dump-dom", *arguments, stderr=True)

    def picture(self, page: Path, file: Path, *arguments: str, width: int = 1200, height: int = 2400) -> bytes:
        """Return a PNG of the page, and copy it to LITELLM_VIRTUAL_KEYS_TEST_PICTURES if that is set."""
        self._run(page, f"--screenshot={file}", f"--window-size={width},{height}", *arguments)
        if kept := os.environ.get("LITELLM_VIRTUAL_KEYS_TEST_PICTURES"):
            shutil.copy(file, kept)
        return file.read_bytes()

    def paper(self, page: Path, file: Path) -> bytes:
        """Return a PDF of the printed page."""
        self._run(page, f"--print-to-pdf={file}", "--no-pdf-header-footer")
        return file.read_bytes()

    def _run(self, page: Path | str, *arguments: str, stderr: bool = False) -> str:
        with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
            command = [self._program, *QUIET, f"--user-data-dir={profile}", *arguments, page.as_uri() if isinstance(page, Path) else page]
            done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr if stderr else done.stdout


def find() -> str | None:
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def install() -> str:
    """Install Debian's Chromium. Return an empty string, or the reason why that is not possible."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return f"Chromium is missing; install it, on Debian as root with: apt-get install {PACKAGE}"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["install"], ["update"], ["install"]):
        command = ["apt-get", *arguments, "--quiet", *(["--yes", "--no-install-recommends", PACKAGE] if arguments == ["install"] else [])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if arguments == ["install"] and done.returncode == 0:
            return ""
    return f"Chromium is missing, and apt-get cannot install it: {done.stderr.strip()[-300:]}"


@pytest.fixture(scope="session")
def browser() -> Browser:
    problem = "" if find() else install()
    program = find()
    if program is None:
        pytest.skip(problem)
    return Browser(program)
