# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What is published, made in a folder of the cache: the collection's archive, Galaxy's opinion of it, the documentation.

artefact.py build       print the archive's path
artefact.py importer    build, then check the archive as Galaxy does on upload
artefact.py docs        print the path of the documentation's first page
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def do(command: list[str | Path], **options: Any) -> None:
    """Run a command that says itself what is wrong, and end with it if it fails."""
    status = subprocess.run(command, check=False, **options).returncode
    if status:
        sys.exit(status)


def output(name: str) -> Path:
    """An empty folder beside the tree that this checkout runs in, so that two checkouts do not meet."""
    tree = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"].partition(os.pathsep)[0])
    folder = tree / "output" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def build() -> Path:
    folder = output("build")
    do(["ansible-galaxy", "collection", "build", "--output-path", folder], stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def importer() -> None:
    archive = build()
    settings = archive.parent / "galaxy-importer.cfg"
    # What ansible-test and ansible-lint say has gates of its own here.
    settings.write_text("[galaxy-importer]\nRUN_ANSIBLE_LINT = false\nRUN_ANSIBLE_TEST = false\nCHECK_CHANGELOG = true\n", encoding="utf-8")
    environ = {**os.environ, "GALAXY_IMPORTER_CONFIG": str(settings)}
    do([sys.executable, "-m", "galaxy_importer.main", archive.name], cwd=archive.parent, env=environ)


def docs() -> Path:
    folder = output("docs")
    init: list[str | Path] = ["antsibull-docs", "sphinx-init", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", folder]
    do([*init, "--sphinx-theme", "sphinx_ansible_theme", "rhpds.litellm_virtual_keys"], stdout=subprocess.DEVNULL)
    rst = folder / "temp-rst"
    rst.mkdir(exist_ok=True)
    make: list[str | Path] = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", rst]
    do([*make, "rhpds.litellm_virtual_keys"])
    shutil.copytree(rst, folder / "rst", dirs_exist_ok=True)
    # antsibull-docs takes along the pages, not the pictures on them.
    (page,) = (folder / "rst").rglob("architecture.rst")
    shutil.copytree(Path("docs/docsite/rst/images"), page.parent / "images", dirs_exist_ok=True)
    do(["sphinx-build", "-q", "-b", "html", "-c", folder, folder / "rst", folder / "html"])
    return folder / "html" / "index.html"


def main() -> None:
    match sys.argv[1:]:
        case ["build"]:
            print(build())
        case ["importer"]:
            importer()
        case ["docs"]:
            print(docs())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
