# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What a key may do and for how long: the options of every module that makes keys."""

from __future__ import annotations


class ModuleDocFragment:
    # Options that may also stand in one element of a list of keys.
    DOCUMENTATION = r"""
options:
  models:
    description:
      - The models that the key may call, by the names under which the gateway serves them.
      - LiteLLM's own words V(all-proxy-models) and V(all-team-models) are taken too. An empty list is refused,
        because to LiteLLM it means all models.
    type: list
    elements: str
  duration:
    description:
      - How long a key lives, counted from its creation, for example V(30d). A whole number and one of V(s), V(m),
        V(h), V(d), V(w) and V(mo), which is 30 days. V(never) makes a key without an end.
      - An existing key keeps its end, unless it has expired, when it gets this lifetime again. To prolong a key use
        O(extend_for) or O(extend_until).
    type: str
  extend_for:
    description:
      - See to it that the key lives for at least this long from now on, for example V(7d). Never shortens its life.
    type: str
  extend_until:
    description:
      - See to it that the key lives at least until this time, in ISO 8601, UTC unless it says otherwise.
        Never shortens its life.
    type: str
  max_budget:
    description:
      - How many USD the key may spend, in all or in each O(budget_duration). V(-1) removes the limit.
    type: float
  soft_budget:
    description:
      - After how many USD the gateway sends an alert. V(-1) removes the limit.
    type: float
  budget_duration:
    description:
      - After which time the spending is counted from zero again, for example V(30d). LiteLLM puts the moment on
        the calendar, V(30d) on the first day of a month. V(never) stops that.
    type: str
  rpm_limit:
    description:
      - How many requests per minute the key may make. V(-1) removes the limit.
    type: int
  tpm_limit:
    description:
      - How many tokens per minute the key may use. V(-1) removes the limit.
    type: int
  max_parallel_requests:
    description:
      - How many requests the key may have under way at the same time. V(-1) removes the limit.
    type: int
  model_max_budget:
    description:
      - A budget for each model, by its name, with C(budget_limit) in USD and C(time_period), for example V(1d).
      - LiteLLM takes this with its enterprise licence only. Without one, make a key for each model, with a O(max_budget) of its own.
    type: dict
  allowed_routes:
    description:
      - The routes of the gateway that the key may call, for example V(llm_api_routes). An empty list removes the
        limit.
    type: list
    elements: str
  tags:
    description:
      - Tags under which LiteLLM accounts what the key spends. They are kept in the key's metadata, which needs no
        licence. An empty list removes them.
    type: list
    elements: str
  metadata:
    description:
      - What to note on the key. Names that are there already stay unless they are given here. A name with the
        value V(null) is removed.
      - Never put a secret here, the gateway shows metadata to everybody who may list keys.
    type: dict
  user_id:
    description:
      - The user whose key it is, in LiteLLM. The user need not exist there. An empty text removes it.
    type: str
  team_id:
    description:
      - The team that the key belongs to, in LiteLLM. It must exist. An empty text removes it.
    type: str
  package:
    description:
      - The name of the subscription package that the limits come from. It is noted on the key, to look keys up by.
    type: str
"""

    # How the values of keys come about, and what happens to them.
    VALUE = r"""
options:
  secret:
    description:
      - What the values of keys are derived from, together with their aliases. The same secret gives the same value
        again at any time and anywhere, so keep it, and keep it the same. At least 16 characters.
      - When not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and after it O(api_key).
    type: str
  on_unrecoverable:
    description:
      - What to do with a key that exists and whose value cannot be derived, because it was made with another secret
        or by another tool.
      - With V(fail) nothing is changed and the module says which key it is.
      - With V(rotate) the key gets a new value, as with O(rotation).
      - With V(keep) the key is managed as it is, and its value is not returned.
    type: str
    choices: [fail, rotate, keep]
    default: fail
  rotation:
    description:
      - A label, for example V(2026-11). A key that was last rotated under another label, or never, gets a new value.
        A run with the same label changes nothing.
      - Alias, limits, owner, end and spending stay with the key.
    type: str
  rotation_grace:
    description:
      - How long a value that was replaced goes on working, for example V(24h). With V(0s) it is deleted as soon as
        the new one exists.
      - What is left of it afterwards is deleted by the next run for this key.
    type: str
    default: 0s
  check_models:
    description:
      - Whether to refuse models that the gateway does not serve. LiteLLM itself accepts any name.
    type: bool
    default: true
"""
