# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Build in a folder of the cache what is published: the collection's archive, with Galaxy's checks, and the documentation.

artefact.py build       print the archive's path, after a check that it holds only what is meant to be published
artefact.py contents    build, and list what is in the archive
artefact.py importer    build, then check the archive as Galaxy does on upload
artefact.py demo        build, install the archive in an empty folder, and run the demo from there
artefact.py docs        print the path of the documentation's first page
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

COLLECTION = "rhpds.litellm_virtual_keys"

# The folders and files at the top of the archive. Anything else that is to be published must be added here on purpose.
PUBLISHED = {
    "CHANGELOG.rst",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "extensions",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}
# Files that ansible-galaxy writes itself.
WRITTEN = {"FILES.json", "MANIFEST.json"}

# Warnings about links into other projects' documentation, which cannot be read without internet access.
ELSEWHERE = re.compile(
    "intersphinx|failed to reach any of the inventories|'envvar' reference target not found"
    r"|undefined label: '(?!ansible_collections\.rhpds)"
)


def do(command: list[str | Path], **options: Any) -> None:
    """Run a command that reports its own errors, and exit if it fails."""
    status = subprocess.run(command, check=False, **options).returncode
    if status:
        sys.exit(status)


def output(name: str) -> Path:
    """Return an empty folder beside the tree of this checkout, so that two checkouts do not share one."""
    tree = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"].partition(os.pathsep)[0])
    folder = tree / "output" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def build() -> Path:
    folder = output("build")
    do(["ansible-galaxy", "collection", "build", "--output-path", folder], stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("*.tar.gz")
    if strangers := strangers_in(archive):
        sys.exit(f"{archive.name} holds what is not meant to be published: {', '.join(strangers)}; add it to build_ignore in galaxy.yml, or to git.")
    return archive


def files_in(archive: Path) -> dict[str, int]:
    """Return the files of the archive with their sizes."""
    with tarfile.open(archive) as opened:
        return {member.name: member.size for member in opened.getmembers() if not member.isdir()}


def strangers_in(archive: Path) -> list[str]:
    """Return the files that are in the archive by accident: outside of the published folders, or not in git."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    known = WRITTEN | set(listed.split("\0"))
    return sorted(name for name in files_in(archive) if name not in known or name.partition("/")[0] not in PUBLISHED)


def contents() -> None:
    files = files_in(build())
    for name, size in sorted(files.items()):
        print(f"{size:>9} {name}")
    print(f"{sum(files.values()):>9} bytes in {len(files)} files")


def importer() -> None:
    archive = build()
    settings = archive.parent / "galaxy-importer.cfg"
    # ansible-test and ansible-lint have their own gates here.
    settings.write_text("[galaxy-importer]\nRUN_ANSIBLE_LINT = false\nRUN_ANSIBLE_TEST = false\nCHECK_CHANGELOG = true\n", encoding="utf-8")
    environ = {**os.environ, "GALAXY_IMPORTER_CONFIG": str(settings)}
    do([sys.executable, "-m", "galaxy_importer.main", archive.name], cwd=archive.parent, env=environ)


def demo() -> None:
    """Run the demo as a user who has only ansible-core, requests and the archive."""
    archive = build()
    folder = output("installed")
    collections, workspace = folder / "collections", folder / "workspace"
    workspace.mkdir()
    config = folder / "ansible.cfg"
    config.touch()
    # No variables that lead to the checkout, or to settings and collections in a home directory.
    mine = ("ANSIBLE_", "MYPYPATH", "PYTHONPATH", "PWD", "OLDPWD")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    environ |= {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_CONFIG": str(config), "ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_NOCOLOR": "1"}
    install: list[str | Path] = ["ansible-galaxy", "collection", "install", "--no-deps", "--offline", "-p", collections, archive]
    do(install, cwd=workspace, env=environ)
    do(["ansible-galaxy", "collection", "verify", "--offline", COLLECTION], cwd=workspace, env=environ)
    environ["ANSIBLE_STDOUT_CALLBACK"] = f"{COLLECTION}.plain"
    do(["ansible-playbook", f"{COLLECTION}.demo"], cwd=workspace, env=environ)
    print(f"The demo ran from {collections}.")


def docs() -> Path:
    folder = output("docs")
    init: list[str | Path] = ["antsibull-docs", "sphinx-init", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", folder]
    do([*init, "--sphinx-theme", "sphinx_ansible_theme", COLLECTION], stdout=subprocess.DEVNULL)
    rst = folder / "temp-rst"
    rst.mkdir(exist_ok=True)
    make: list[str | Path] = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", rst]
    do([*make, COLLECTION])
    shutil.copytree(rst, folder / "rst", dirs_exist_ok=True)
    # antsibull-docs copies the pages without their pictures.
    (page,) = (folder / "rst").rglob("architecture.rst")
    shutil.copytree(Path("docs/docsite/rst/images"), page.parent / "images", dirs_exist_ok=True)
    warnings = folder / "warnings.txt"
    do(["sphinx-build", "-q", "-b", "html", "-w", warnings, "-c", folder, folder / "rst", folder / "html"], stderr=subprocess.DEVNULL)
    if faults := [line for line in warnings.read_text(encoding="utf-8").splitlines() if "WARNING: " in line and not ELSEWHERE.search(line)]:
        sys.exit("\n".join(faults))
    return folder / "html" / "index.html"


def main() -> None:
    match sys.argv[1:]:
        case ["build"]:
            print(build())
        case ["contents"]:
            contents()
        case ["demo"]:
            demo()
        case ["importer"]:
            importer()
        case ["docs"]:
            print(docs())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
