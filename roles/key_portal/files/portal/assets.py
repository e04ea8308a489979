# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What browsers load beside the pages: PatternFly's styles, htmx, icons, and our own files. Everything is served from here.

The files of others come from npm packages with pinned versions (`../web/package.json`), which `npm ci` puts into a folder. Nothing is
built: of PatternFly the styles of the components in use are joined, and its dark colours apply where the browser asks for them.
Each file has an address with a digest of its content, so that browsers keep it for ever.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

OWN_FILES = Path(__file__).with_name("static")
PATTERNFLY = "@patternfly/patternfly"
COMPONENTS = (
    *("Alert", "Badge", "Button", "Card", "Check", "Content", "DescriptionList", "EmptyState", "Form", "FormControl", "HelperText"),
    *("Label", "Pagination", "ProgressStepper", "Radio", "SkipToContent", "Table", "Tabs", "Title"),
)
HTMX = "htmx.org/dist/htmx.min.js"
ICON_SETS = {"mdi": "@iconify-json/mdi", "simple-icons": "@iconify-json/simple-icons"}
UNKNOWN_ICON = "mdi:help-circle-outline"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")
_DARK = re.compile(r"(?m)^:root:where\(\.pf-v6-theme-dark\) \{([^}]*)\}|^:where\(\.pf-v6-theme-dark\) \{([^}]*)\}")
_OTHER_THEMES = re.compile(r"(?m)^:root:where\(\.pf-v6-theme[^)]*\)[^{]*\{[^}]*\}\n?")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Asset:
    """A file as it is served."""

    content: bytes
    compressed: bytes
    media_type: str
    digest: str


class Assets:
    """All files, from the folder `node_modules` of the packages. Raises ValueError if one of them is missing there."""

    def __init__(self, packages: Path) -> None:
        self._packages = packages
        try:
            self._files = {name: _asset(name, content) for name, content in self._contents()}
            self._icons = {prefix: _icon_bodies(packages / package / "icons.json") for prefix, package in ICON_SETS.items()}
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"The packages of the pages cannot be read in {packages}: {error}; run npm ci beside their package.json.") from None

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        yield "patternfly.css", _patternfly(self._packages / PATTERNFLY).encode()
        yield "htmx.js", (self._packages / HTMX).read_bytes()
        for path in sorted(OWN_FILES.iterdir()):
            if path.suffix in _TYPES:
                yield path.name, path.read_bytes()

    def find(self, digest: str, name: str) -> Asset | None:
        """Return the file with this name and digest."""
        asset = self._files.get(name)
        return asset if asset is not None and asset.digest == digest else None

    def address(self, name: str) -> str:
        """Return the path under which a file is served."""
        return f"/static/{self._files[name].digest}/{name}"

    def icon(self, name: str, color: str = "currentColor") -> Markup:
        """Return an icon by its iconify name, drawn in `color`. It says nothing to a screen reader."""
        prefix, _colon, icon = name.partition(":")
        body = self._icons.get(prefix, {}).get(icon) or self._icons["mdi"]["help-circle-outline"]
        return _icon_markup(body, color)


@lru_cache(maxsize=1)
def assets_in(packages: Path) -> Assets:
    """Return all files from a folder of packages, which is read once only. Raises ValueError."""
    return Assets(packages)


@lru_cache(maxsize=512)
def _icon_markup(body: str, color: str) -> Markup:
    frame = Markup('<svg class="portal-icon" viewBox="0 0 24 24" width="24" height="24" color="{}" aria-hidden="true" focusable="false">')
    return frame.format(color) + Markup(body) + Markup("</svg>")  # noqa: S704 - the body is from the icons' package


def _asset(name: str, content: bytes) -> Asset:
    return Asset(content, gzip.compress(content, 9, mtime=0), _TYPES[Path(name).suffix], hashlib.sha256(content).hexdigest()[:16])


def _patternfly(package: Path) -> str:
    """Return PatternFly's tokens and the components in use. Its fonts are left out; the system's are shown."""
    base = _FONT_FACE.sub("", (package / "patternfly-base.css").read_text(encoding="utf-8"))
    parts = [base, *(_component(package, name) for name in COMPONENTS)]
    joined = _COMMENT.sub("", "\n".join(parts))
    joined = _DARK.sub(lambda match: f"@media (prefers-color-scheme: dark) {{:root {{{match[1] or match[2]}}}}}", joined)
    joined = _OTHER_THEMES.sub("", joined)
    return re.sub(r"\n\s+", "\n", joined)


def _component(package: Path, name: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((package / "components" / name).glob("*.css")))


def _icon_bodies(path: Path) -> dict[str, str]:
    """Return what each icon of a set is drawn with. Another name of an icon, if it is not turned, counts as well."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    bodies = {name: str(icon["body"]) for name, icon in found["icons"].items()}
    for name, alias in found.get("aliases", {}).items():
        if alias.keys() == {"parent"} and alias["parent"] in bodies:
            bodies[name] = bodies[alias["parent"]]
    return bodies
