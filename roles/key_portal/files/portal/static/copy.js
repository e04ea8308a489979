// Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
// MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: MIT OR GPL-3.0-or-later
//
// Buttons with data-copy="TEXT" copy their text; the element after them then shows their data-copied. They are seen only where they work.
"use strict";

if (navigator.clipboard) {
  document.documentElement.dataset.canCopy = "";
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.nextElementSibling.textContent = button.dataset.copied;
    } catch {
      // the browser does not allow it; the text can be selected
    }
  });
}
