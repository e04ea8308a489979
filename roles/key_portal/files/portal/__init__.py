# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The portal: a web service on the store of requests. People ask for keys, administrators decide, and a worker elsewhere makes the keys.

It holds neither a key of the gateway nor the secret that values are derived from, and it never sees the value of a key. Its
state is the store of requests; it uses the wing `key_requests` as it is, from beside this folder (see README.md).

| file | contents |
| --- | --- |
| `__main__.py` | starts the service with uvicorn |
| `app.py` | `create_app(settings)`: middleware, routes, handlers of errors |
| `settings.py` | every environment variable, and what is taken from the requestor's config.yaml |
| `sign_on.py` | those of them that single sign-on and roles have |
| `store.py` | `PortalDesk`: the store and its desk, the listing and what passes published, each read at most once a second |
| `recent.py` | `Recent`: a reading that many callers share |
| `insights.py` | what the worker found out about requests that are looked at |
| `errors.py` | what is answered when something is refused or fails |
| `connections.py` | how long clients may take, and how many connections there may be |
| `limits.py` | how large a call may be, how long it may take to arrive, and to be answered |
| `catalogue.py` | the catalogue: models of the config, what the gateway serves, packages |
| `wording.py` | terms in words |
| `language.py`, `languages/` | the languages of the pages: one file of texts each, and Babel |
| `pages/` | the pages: one router for each file; `page.py` has what all share, `templates/` and `static/` what they are made of |
| `assets.py` | what browsers load, from npm packages and `static/` |
| `security.py` | the headers of every answer |
| `memory.py` | what stays in this process's memory |
| `signing.py` | signed links and sessions, the tokens of forms |
| `trail.py` | the audit log |
| `rates.py` | how often somebody may do what costs others something |
| `link_mail.py` | the mails with links, sent behind the answer |
| `health.py` | what `/health` says, from the store and the report of the last pass |
| `metrics.py` | what `/metrics` says |
| `log_lines.py` | the lines of the log, as text or JSON |
| `identity/` | who calls: one file for each method; `Caller` is what they return |
| `identity/roles.py` | what each role may do, and who has it |
| `identity/provider.py` | the provider of single sign-on: its addresses and keys, and what must be true of its tokens |
| `api/requestor.py` | the calls of the LLM Key Requestor |
| `api/v1.py`, `api/v1_admin.py` | our own calls; `api/shapes.py` has their fields, `api/listing.py` search, sort and paging |
| `api/key_use.py` | what keys have spent, in answers of our own calls |
| `own_changes.py` | seeing one's own changes, whichever process of the portal answers |

Functions that handle a call are plain functions, which FastAPI runs in threads, because every store blocks. Imports inside of
this folder are relative, so that it works under any name.
"""
