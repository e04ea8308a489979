# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The limits and the lifetime of a key: options of every module that makes keys."""

from __future__ import annotations


class ModuleDocFragment:
    # Options that may also be given in one element of a list of keys.
    DOCUMENTATION = r"""
options:
  models:
    description:
      - The models that the key may call, by the names under which the gateway serves them.
      - Wildcards such as V(openai/*), names of model access groups, and LiteLLM's special names V(all-proxy-models) and, for a
        key in a team, V(all-team-models) are accepted, too. An empty list is refused, because LiteLLM takes it to mean all
        models, and so is V(all-team-models) without a team.
      - A model that the key's team may not use is refused, because LiteLLM would refuse every call.
    type: list
    elements: str
  duration:
    description:
      - How long a key is valid, counted from its creation, for example V(30d). A whole number and one of V(s), V(m),
        V(h), V(d), V(w) and V(mo), which is 30 days. V(never) makes a key that never expires.
      - An existing key keeps its expiry, unless it has expired; then it gets this lifetime again. To extend a key, use
        O(extend_for) or O(extend_until).
    type: str
  extend_for:
    description:
      - Make sure that the key is valid for at least this long from now, for example V(7d). Never shortens its lifetime.
    type: str
  extend_until:
    description:
      - Make sure that the key is valid at least until this time, in ISO 8601, in UTC unless it has another offset.
        Never shortens its lifetime.
    type: str
  max_budget:
    description:
      - How many USD the key may spend, in total or in each O(budget_duration). V(-1) removes the limit.
    type: float
  soft_budget:
    description:
      - The spend in USD at which the gateway sends an alert. V(-1) removes the limit.
    type: float
  budget_duration:
    description:
      - The time after which the spend is reset to zero, for example V(30d). LiteLLM aligns the reset with the calendar,
        V(30d) with the first day of a month. V(never) turns the reset off.
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
      - How many requests with the key may be in progress at the same time. V(-1) removes the limit.
    type: int
  model_max_budget:
    description:
      - A budget for each model, by its name, with C(budget_limit) in USD and C(time_period), for example V(1d).
      - LiteLLM accepts this only with its enterprise licence. Without one, make a key for each model, with a
        O(max_budget) of its own.
    type: dict
  allowed_routes:
    description:
      - The routes of the gateway that the key may call, for example V(llm_api_routes). An empty list removes the
        limit.
    type: list
    elements: str
  tags:
    description:
      - Tags by which LiteLLM accounts for the key's spend. They are kept in the key's metadata, which needs no licence.
        An empty list removes them.
    type: list
    elements: str
  metadata:
    description:
      - The metadata to note on the key. Existing names stay unless they are given here. A name with the value V(null)
        is removed.
      - Never put a secret here, because the gateway shows metadata to everybody who may list keys.
    type: dict
  user_id:
    description:
      - The LiteLLM user that the key belongs to. The user need not exist. An empty string removes it.
    type: str
  team_id:
    description:
      - The LiteLLM team that the key belongs to. The team must exist. An empty string removes it.
    type: str
  package:
    description:
      - The name of the subscription package that the limits come from. It is noted on the key, so that keys can be
        looked up by it.
    type: str
"""

    # How the values of keys are derived, rotated and kept.
    VALUE = r"""
options:
  secret:
    description:
      - The secret that the values of keys are derived from, together with their aliases. The same secret always gives
        the same values, so keep it safe and do not change it. At least 16 characters.
      - If not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and then O(api_key). New values are not derived
        from an O(api_key) of less than 16 characters, because whoever has a key could guess it.
    type: str
  on_unrecoverable:
    description:
      - What to do with an existing key whose value cannot be derived, because it was made with another secret or by
        another tool.
      - With V(fail) nothing is changed and the module names the key.
      - With V(rotate) the key gets a new value, as with O(rotation). From a key that was not made with the gateway's master key, the new
        one takes over only limits and end.
      - With V(keep) the key is managed as it is, and its value is not returned.
    type: str
    choices: [fail, rotate, keep]
    default: fail
  rotation:
    description:
      - A label, for example V(2026-11). A key that was last rotated under another label, or never, gets a new value.
        A run with the same label changes nothing.
      - The key keeps its alias, limits, owner, expiry and spend.
    type: str
  rotation_grace:
    description:
      - How long a replaced value keeps working, for example V(24h). With V(0s) it is deleted as soon as the new one
        exists.
      - After this time, the next run for this key deletes the replaced value.
    type: str
    default: 0s
  create:
    description:
      - Whether to make keys that do not exist. With V(false), only keys that exist are changed, and RV(absent) names the
        others, so that a task that merely notes something on a key, or hands it out, never brings a deleted key back.
    type: bool
    default: true
  first_generation:
    description:
      - The generation of a key that is made, from V(0). A key that is made again under the alias of a deleted one gets a
        later generation than the gateway remembers, so that a deleted value never works again.
      - Give this for a gateway that keeps no list of deleted keys (LiteLLM before 1.81), or whose database was made anew,
        if aliases were in use before.
    type: int
    default: 0
  check_models:
    description:
      - Whether to refuse models that the gateway does not serve, or that the key's team may not use. LiteLLM itself accepts any
        name.
    type: bool
    default: true
"""
