// Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
// MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: MIT OR GPL-3.0-or-later
//
// Opens a sealed key in the browser. The page is PORTAL/open/BOX_ID#SECRET; the secret never leaves the browser.
// The format is that of plugins/module_utils/delivery/sealed.py.
//
// The page has one element with these data attributes, and loads this file with <script src=".../open.js" defer></script>:
//
//   data-open-box="BOX_ID"        the id of the box
//   data-open-url="/open/BOX_ID"  where it is taken from, on the same host
//   data-open-csrf="..."          a token, sent in the header X-CSRF-Token; may be missing
//   data-open-language="de"       how the end is shown; may be missing
//
// In it, each [data-open-state] is one thing that the page may say, in the language of the page. One of them is shown at a time:
//
//   no_script    what is shown before this file runs, and where it does not
//   ready        the key can be opened; holds the button [data-open-button]. Nothing is fetched before it is pressed, because
//                programs that look at the links in mails fetch pages too.
//   working      it is being fetched
//   shown        the key: each [data-open-field] is filled with key, url, base_url (that of
//                OpenAI's libraries), models, model (the first), expires or alias, each [data-open-variables]
//                with an env file. [data-open-copy="FIELD"] copies, and then each
//                [data-open-note] shows what it has as its value. [data-open-save] saves the env file.
//                [data-open-never] is shown instead of expires if the key has no end.
//   opened       it was opened before; [data-open-when] is filled with the time
//   expired      the link is too old
//   missing      there is no such box, or a newer link has taken its place
//   incomplete   the link has no secret, or a wrong one. The box was not touched.
//   damaged      it was taken, and cannot be decrypted, so somebody changed it; a new link is needed
//   unreachable  the portal did not answer; [data-open-button] in it tries again
//   unsupported  this browser cannot decrypt: it is too old, or the page is not https
//
// The server's part: POST data-open-url with Content-Type application/json and the body {"proof": "..."} calls take_box and answers
//
//   200 {"id": BOX_ID, "request_id": "...", "contents": "..."}
//   404 {"code": "box_missing"}, 410 {"code": "box_opened", "opened_at": "..."} or {"code": "box_expired"}, 403 {"code": "box_refused"}
//
// with Cache-Control: no-store. The page needs script-src 'self' and connect-src 'self', and Referrer-Policy: no-referrer.
"use strict";

(() => {
  const page = document.querySelector("[data-open-box]");
  if (!page) return;
  const text = new TextEncoder();
  const boxId = page.dataset.openBox;
  const secret = location.hash.slice(1);

  function show(state) {
    for (const part of page.querySelectorAll("[data-open-state]")) part.hidden = part.dataset.openState !== state;
    page.dataset.openNow = state;
    const part = page.querySelector(`[data-open-state="${state}"]`);
    if (part && state !== "ready") {
      part.tabIndex = -1;
      part.focus();
    }
  }

  function fromBase64url(coded) {
    const raw = atob(coded.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
  }

  function toBase64url(bytes) {
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  async function proofOf(key) {
    const label = text.encode("litellm-virtual-keys proof 1|");
    const both = new Uint8Array(label.length + key.length);
    both.set(label);
    both.set(key, label.length);
    return toBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", both)));
  }

  async function decrypted(box, key) {
    const sealed = fromBase64url(box.contents);
    const algorithm = {
      name: "AES-GCM",
      iv: sealed.slice(0, 12),
      additionalData: text.encode(`litellm-virtual-keys box 1|${box.id}|${box.request_id}`),
      tagLength: 128,
    };
    const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
    const plain = await crypto.subtle.decrypt(algorithm, imported, sealed.slice(12));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(plain));
  }

  function inLocalTime(time) {
    const language = page.dataset.openLanguage || document.documentElement.lang || undefined;
    return new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" }).format(new Date(time));
  }

  function envFile(document_) {
    const quoted = (value) => `'${value.replaceAll("'", `'"'"'`)}'`;
    const lines = Object.entries(document_.variables).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
    return lines.join("");
  }

  function fill(document_) {
    const fields = {
      key: document_.key,
      url: document_.url,
      base_url: `${document_.url.replace(/\/+$/, "")}/v1`,
      models: document_.models.join("\n"),
      model: document_.models[0] ?? "",
      expires: document_.expires ? inLocalTime(document_.expires) : "",
      alias: document_.alias,
    };
    for (const part of page.querySelectorAll("[data-open-field]")) part.textContent = fields[part.dataset.openField] ?? "";
    for (const part of page.querySelectorAll("[data-open-variables]")) part.textContent = envFile(document_);
    for (const part of page.querySelectorAll("[data-open-never]")) part.hidden = Boolean(document_.expires);
    for (const button of page.querySelectorAll("[data-open-copy]")) {
      const copied = button.dataset.openCopy === "variables" ? envFile(document_) : fields[button.dataset.openCopy];
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(copied);
        for (const part of page.querySelectorAll("[data-open-note]")) part.textContent = part.dataset.openNote;
      });
    }
    for (const button of page.querySelectorAll("[data-open-save]")) {
      button.addEventListener("click", () => save(envFile(document_), button.dataset.openSave || "llm-key.env"));
    }
    page.dispatchEvent(new CustomEvent("key-opened", { detail: document_ })); // for snippets of SDKs; it stays in this page
  }

  function save(content, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  async function refused(answer) {
    const said = await answer.json().catch(() => ({}));
    const state = { box_opened: "opened", box_expired: "expired", box_missing: "missing", box_refused: "incomplete" }[said.code];
    if (said.opened_at) {
      for (const part of page.querySelectorAll("[data-open-when]")) part.textContent = inLocalTime(said.opened_at);
    }
    show(state ?? "unreachable");
  }

  async function open() {
    if (!["ready", "unreachable"].includes(page.dataset.openNow)) return;
    show("working");
    try {
      const key = fromBase64url(secret);
      const answer = await taken(await proofOf(key));
      if (answer.ok) await reveal(await answer.json(), key);
      else await refused(answer);
    } catch {
      show("unreachable");
    }
  }

  async function taken(proof) {
    const headers = { "Content-Type": "application/json", Accept: "application/json" };
    if (page.dataset.openCsrf) headers["X-CSRF-Token"] = page.dataset.openCsrf;
    const options = { method: "POST", headers, body: JSON.stringify({ proof }), credentials: "same-origin", cache: "no-store", redirect: "error" };
    return fetch(page.dataset.openUrl, options);
  }

  async function reveal(box, key) {
    try {
      if (box.id !== boxId) throw new Error("another box");
      fill(await decrypted(box, key));
    } catch {
      show("damaged");
      return;
    }
    history.replaceState(null, "", location.pathname); // the link is of no use any more
    show("shown");
  }

  function forget() {
    if (page.dataset.openNow !== "shown") return;
    for (const part of page.querySelectorAll("[data-open-field], [data-open-variables]")) part.textContent = "";
    show("opened");
  }

  addEventListener("pagehide", forget); // who comes back by the button of the browser does not see the key
  for (const button of page.querySelectorAll("[data-open-button]")) button.addEventListener("click", open);
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) show("unsupported");
  else if (!/^[A-Za-z0-9_-]{43}$/.test(secret)) show("incomplete");
  else show("ready");
})();
