#!/usr/bin/python
# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Move virtual keys from one gateway to another."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_migration
short_description: Move LiteLLM virtual keys from one gateway to another
version_added: 2.0.0
description:
  - Creates the keys of a lab, of a package, or all that this collection manages, at another gateway with the same
    values. Alias, expiry, limits, owner, metadata and spend are carried over, so users change the address and nothing
    else.
  - Exactly one of O(guid), O(package) and O(all_keys) selects the keys.
  - Each key is proven afterwards. It is read again at the target, and the target is called with its value.
  - Nothing changes at the source until O(retire_source=true), which first proves the keys at the target once more.
  - Run it again after a failure, or to carry over what was changed or spent at the source since. Keys that have been
    changed at the target in the meantime are left alone there.
  - Keys that have expired, whose value nobody knows, or that have LiteLLM settings that this collection does not
    manage, stay at the source and are listed in RV(left_out).
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.proof
  - rhpds.litellm_virtual_keys.attributes
  - rhpds.litellm_virtual_keys.attributes.litellm
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  target:
    description:
      - The gateway that the keys move to. The options next to this one are those of the source. O(timeout), O(retries),
        O(retry_delay) and O(parallel_calls) apply to both.
    type: dict
    suboptions:
      url:
        description:
          - The address of the target. If not set, the environment variable E(LITELLM_TARGET_BASE_URL) is used.
        type: str
        required: true
      api_key:
        description:
          - A key that may manage the target's keys. If not set, the environment variable E(LITELLM_TARGET_MASTER_KEY)
            is used.
        type: str
        required: true
      validate_certs:
        description: Whether to check the target's certificate.
        type: bool
        default: true
      ca_path:
        description: A file with the certificates of the authorities to trust, in PEM format.
        type: path
      client_cert:
        description: A file with the client certificate for the target, in PEM format.
        type: path
      client_key:
        description: A file with the private key for O(target.client_cert), in PEM format.
        type: path
      key_header_name:
        description: The HTTP header in which the target looks for keys, if its C(litellm_key_header_name) is set.
        type: str
        default: Authorization
  guid:
    description: Move the keys of this lab.
    type: str
  package:
    description: Move the managed keys of this subscription package.
    type: str
  all_keys:
    description: Move all keys that this collection manages.
    type: bool
    default: false
  retire_source:
    description:
      - Delete at the source the keys that are at the target, and prove that the source refuses them.
      - Nothing is deleted unless all of the keys are at the target as they are at the source.
    type: bool
    default: false
  secret:
    description:
      - The secret that the values of the keys are derived from. The target needs the same secret from now on. At least
        16 characters.
      - If not set, the environment variable E(LITELLM_DERIVATION_SECRET) is used, and then O(api_key). New values are not derived
        from an O(api_key) of less than 16 characters, because whoever has a key could guess it.
    type: str
  known_values:
    description:
      - Data that still contains the values of keys that were made with random ones. Any structure will do, for example
        the content of an AgnosticD user data file, or the data of a Kubernetes Secret. A value belongs to the key whose
        SHA-256 it has, and everything else is ignored.
    type: raw
  on_unrecoverable:
    description:
      - What to do with a key whose value cannot be derived and is not among O(known_values), and with one whose value the target
        remembers as revoked, for instance because the lab was moved away from there before.
      - With V(leave) it is not moved. With V(renew) it gets a new value at the target, which its user needs.
    type: str
    choices: [leave, renew]
    default: leave
  check_models:
    description: Whether to refuse keys for models that the target does not serve.
    type: bool
    default: true
seealso:
  - module: rhpds.litellm_virtual_keys.virtual_keys
  - module: rhpds.litellm_virtual_keys.key_adoption
"""

EXAMPLES = r"""
- name: Copy a lab's keys to the new gateway
  rhpds.litellm_virtual_keys.key_migration:
    url: https://old.example.com
    api_key: "{{ old_master_key }}"
    target:
      url: https://new.example.com
      api_key: "{{ new_master_key }}"
    secret: "{{ derivation_secret }}"
    guid: abc12

- name: Delete the lab's keys at the old gateway, now that everybody uses the new one
  rhpds.litellm_virtual_keys.key_migration:
    url: https://old.example.com
    api_key: "{{ old_master_key }}"
    target:
      url: https://new.example.com
      api_key: "{{ new_master_key }}"
    secret: "{{ derivation_secret }}"
    guid: abc12
    retire_source: true
"""

RETURN = r"""
virtual_keys:
  description: The keys as they are at the target.
  returned: success, and when part of the work failed
  type: list
  elements: dict
  contains:
    alias:
      description: The alias.
      type: str
    action:
      description: C(created), C(updated) or C(unchanged), at the target.
      type: str
    verified:
      description:
        - Whether the key was read at the target, and the target accepted its value. Keys that are blocked, or were
          rotated at the target since, are only read. Always V(false) in check mode.
      type: bool
    renewed:
      description: Whether the value differs from the one at the source.
      type: bool
    differs:
      description: The names of the settings that differ from the source, because they were changed at the target since.
      type: list
      elements: str
    value:
      description:
        - The key itself. Present only if the task has C(no_log=true), and not for a key that was rotated at the target
          since.
      type: str
    key_id:
      description: The SHA-256 of the value that the key has at the target, which is the key's id there.
      type: str
    expires:
      description: When the key expires, or null if it never does.
      type: str
    spend:
      description: How much the key has spent at both gateways, in USD.
      type: float
left_out:
  description: The keys that stay at the source, each with its C(alias), its C(key_id), a C(code) and the reason in C(msg).
  returned: success, and when part of the work failed
  type: list
  elements: dict
retired:
  description: The aliases of the keys that were deleted at the source.
  returned: success, and when part of the work failed
  type: list
  elements: str
counts:
  description: How many keys were created, updated, left unchanged, left out and retired.
  returned: success, and when part of the work failed
  type: dict
failures:
  description: The reason for each key that is not at the target as it should be, by alias.
  returned: when there are any
  type: dict
revocation:
  description: The proof of deletion at the source, as M(rhpds.litellm_virtual_keys.virtual_keys) returns it.
  returned: when keys were deleted
  type: dict
calls:
  description: How many HTTP requests were sent to both gateways.
  returned: success, and when part of the work failed
  type: int
code:
  description: Stable error code, for example C(conflict) or C(unknown_model).
  returned: failure
  type: str
status:
  description: The HTTP status behind the failure, if there was one.
  returned: failure
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.options import StrictModule, filled_env_fallback
from ..module_utils.keys.api import KeyApi
from ..module_utils.keys.options import PROOF_SPEC, proof_of, take_known_values, warn_of_unknown_values
from ..module_utils.keys.reconcile import Reconciler
from ..module_utils.litellm.client import USUAL_KEY_HEADER
from ..module_utils.litellm.options import GATEWAY_SPEC, SECRET_SPEC, open_client, run_module, secret_of
from ..module_utils.migration.reconcile import Migration, MigrationScope
from ..module_utils.migration.results import MigrationIncomplete, MigrationOutcome

TARGET_SPEC: dict[str, dict[str, Any]] = {
    **{name: GATEWAY_SPEC[name] for name in ("validate_certs", "ca_path", "client_cert", "client_key")},
    "key_header_name": {"type": "str", "no_log": False, "default": USUAL_KEY_HEADER},
    "url": {"type": "str", "required": True, "fallback": (filled_env_fallback, ["LITELLM_TARGET_BASE_URL"])},
    "api_key": {"type": "str", "required": True, "no_log": True, "fallback": (filled_env_fallback, ["LITELLM_TARGET_MASTER_KEY"])},
}


def migrate(module: AnsibleModule) -> dict[str, Any]:
    """Copy the keys, or delete moved keys at the source, and return the result."""
    params = module.params
    known = take_known_values(module)
    source = KeyApi(open_client(module), module.warn)
    target = KeyApi(open_client(module, {**params, **params["target"]}), module.warn)
    if source.client.connection.base == target.client.connection.base:
        raise ValueError("target.url is the address of the source; give another gateway.")
    migration = Migration(
        source,
        target,
        Reconciler(source, secret_of(params, new_values=params["on_unrecoverable"] == "renew"), check_mode=module.check_mode),
        MigrationScope(params["guid"] or "", params["package"] or ""),
        known=known,
        renew=params["on_unrecoverable"] == "renew",
        check_models=params["check_models"],
    )
    if not params["secret"]:
        module.warn(
            "the values of these keys are derived from the source's master key; from now on, give that key as secret (LITELLM_DERIVATION_SECRET)"
            " wherever the target's keys are managed."
        )

    def result_of(outcome: MigrationOutcome) -> dict[str, Any]:
        return {**outcome.to_result(reveal=module.no_log, with_diff=module._diff), "calls": source.client.calls + target.client.calls}

    try:
        outcome = migration.retire(proof_of(params)) if params["retire_source"] else migration.copy()
    except MigrationIncomplete as error:
        module.fail_json(msg=str(error), code=error.code, **result_of(error.outcome))
        raise AssertionError("fail_json does not return") from None
    warn_of_unknown_values(module, outcome.retired)
    return result_of(outcome)


def main() -> None:
    module = StrictModule(
        argument_spec={
            **GATEWAY_SPEC,
            "target": {"type": "dict", "options": TARGET_SPEC, "apply_defaults": True},
            "guid": {"type": "str"},
            "package": {"type": "str"},
            "all_keys": {"type": "bool", "default": False},
            "retire_source": {"type": "bool", "default": False},
            **SECRET_SPEC,
            "known_values": {"type": "raw", "no_log": True},
            "on_unrecoverable": {"type": "str", "choices": ["leave", "renew"], "default": "leave"},
            "check_models": {"type": "bool", "default": True},
            **PROOF_SPEC,
        },
        supports_check_mode=True,
    )
    scopes = [name for name in ("guid", "package", "all_keys") if module.params[name]]
    if len(scopes) != 1:
        named = " and ".join(scopes) if scopes else "none of guid, package and all_keys"
        module.fail_json(msg=f"{named} given; say which keys to move with exactly one of guid, package and all_keys.", code="bad_input")
    run_module(module, lambda: migrate(module))


if __name__ == "__main__":
    main()
