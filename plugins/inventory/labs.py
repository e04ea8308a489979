# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Inventory: every lab that has keys on a gateway, as a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: labs
short_description: Labs with LiteLLM virtual keys as hosts
version_added: 2.0.0
author:
  - the rhpds.litellm_virtual_keys authors (@rhpds)
description:
  - Reads all virtual keys of a gateway, and makes a host of each lab that has keys. The host has the lab's alias as its
    name, for example C(virtkey-abc12).
  - A host is in the groups C(package_NAME) of its packages, C(owner_DOMAIN) of its owner's address, C(expiring_24h) and
    C(expiring_72h) if a key expires within that time, C(expired) if all have expired, C(over_budget) if a key has spent
    its budget, C(blocked) if all are blocked, C(orphan) if M(rhpds.litellm_virtual_keys.key_reaper) found that the lab
    no longer lives and noted that on its keys, and C(unmanaged) if its keys have no notes of this collection, like
    those of release 1.3.2. Characters that are not allowed in a group's name become underscores.
  - Hosts get the variables C(lab_guid), C(lab_alias), C(lab_keys) (how many), C(lab_users), C(lab_aliases),
    C(lab_package) (of most keys), C(lab_packages), C(lab_models), C(lab_owner), C(lab_owner_domain), C(lab_expires)
    (when the next key expires, or the last one did; null if none will), C(lab_spend) and C(lab_max_budget) in USD,
    C(lab_budget_share) (the largest part of its budget that a key has spent; 1 is all of it, and it can be more),
    C(lab_state) (C(active), C(expired), C(blocked), C(over_budget) or C(orphan)), C(lab_managed) and
    C(lab_orphaned_at).
  - A lab is not a machine. Its host has C(ansible_connection) V(local) and the Python of Ansible itself.
  - Values of keys are not in the inventory, and neither they nor O(api_key) are in its cache.
  - The file's name must end with C(labs.yml) or C(labs.yaml). An option that the plugin does not know is an error.
    Ansible continues without an inventory source that failed, unless E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) is
    true.
extends_documentation_fragment:
  - rhpds.litellm_virtual_keys.gateway
  - rhpds.litellm_virtual_keys.gateway.plugin
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [rhpds.litellm_virtual_keys.labs]
  user_base:
    description: The prefix of user names in labs of release 1.3.2 of this collection, which can be distinguished by alias only.
    type: str
    default: user
seealso:
  - module: rhpds.litellm_virtual_keys.key_reaper
  - module: rhpds.litellm_virtual_keys.virtual_key_info
"""

EXAMPLES = r"""
# production.labs.yml, with the key in LITELLM_MASTER_KEY
plugin: rhpds.litellm_virtual_keys.labs
url: https://litellm.example.com

---
# Cached for five minutes, with custom groups and variables
plugin: rhpds.litellm_virtual_keys.labs
url: https://litellm.example.com
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /var/cache/ansible/labs
cache_timeout: 300
compose:
  guid: lab_guid # the variable that the roles and playbooks of this collection use
keyed_groups:
  - prefix: state
    key: lab_state
groups:
  classes: lab_keys > 1
  nearly_spent: (lab_budget_share or 0) > 0.8
strict: true
"""

import difflib
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils.common.transport import REQUESTS_ERROR
from ..module_utils.fleet.labs import LabSummary, summaries
from ..module_utils.keys.api import KeyApi
from ..module_utils.litellm import errors
from ..module_utils.litellm.client import Client, Connection
from ..module_utils.litellm.options import GATEWAY_SPEC, connection_of


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "rhpds.litellm_virtual_keys.labs"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("labs.yml", "labs.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._check_names(self._read_config_data(path))
        self.load_cache_plugin()
        self._populate(self._labs(self.get_cache_key(path), cache), datetime.now(UTC))

    def _check_names(self, config: Mapping[str, Any]) -> None:
        """Raise AnsibleParserError for an option that does not exist, which Ansible itself would ignore."""
        known = {name for option, about in self.option_definitions.items() for name in (option, *(about.get("aliases") or ()))}
        for name in sorted(set(map(str, config)) - known):
            like = difflib.get_close_matches(name, sorted(known), n=1)
            raise AnsibleParserError(
                f"labs: there is no option {name}{f'; {like[0]} is meant, perhaps' if like else ''}. See ansible-doc -t inventory {self.NAME}."
            )

    # -------------------------------------------------------------------------------------------------------- reading
    def _labs(self, key: str, cache: bool) -> Sequence[LabSummary]:
        """Return the labs from the cache, if it is enabled and was filled from this gateway with this `user_base`, or else from the gateway."""
        use = self.get_option("cache")
        connection = self._connection()
        origin = {"url": connection.base, "user_base": self.get_option("user_base")}
        if use and cache:
            kept = self._cache.get(key)
            if isinstance(kept, Mapping) and {name: kept.get(name) for name in origin} == origin:
                try:
                    return [LabSummary.from_plain(lab) for lab in kept["labs"]]
                except (KeyError, TypeError):
                    pass  # another release of this collection wrote it
        labs = self._read(connection)
        if use:
            self._cache[key] = {**origin, "labs": [lab.to_plain() for lab in labs]}
        return labs

    def _connection(self) -> Connection:
        if REQUESTS_ERROR is not None:
            raise AnsibleParserError(f"labs: the Python library requests is missing ({REQUESTS_ERROR}); install it for {sys.executable}.")
        try:
            return connection_of({name: self.get_option(name) for name in GATEWAY_SPEC})
        except ValueError as error:
            raise AnsibleParserError(f"labs: {error}") from None

    def _read(self, connection: Connection) -> list[LabSummary]:
        client = Client(connection)
        api = KeyApi(client, self.display.warning)
        try:
            api.check_admin()  # a user's own key would show that user's labs, as if there were no others
            return summaries(api.keys(), self.get_option("user_base"))
        except errors.GatewayError as error:
            raise AnsibleParserError(f"labs: {error}") from None
        finally:
            client.close()

    # ----------------------------------------------------------------------------------------------------- populating
    def _populate(self, labs: Sequence[LabSummary], now: datetime) -> None:
        strict = self.get_option("strict")
        own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        for lab in labs:
            # Texts on keys come from everybody who may make a key, so they must never be templated.
            facts = {**wrap_var(lab.facts(now)), **own}
            host = self.inventory.add_host(str(lab.alias))
            for name, value in facts.items():
                self.inventory.set_variable(host, name, value)
            for group in lab.groups(now):
                self.inventory.add_child(self.inventory.add_group(to_safe_group_name(group, force=True, silent=True)), host)
            self._set_composite_vars(self.get_option("compose"), facts, host, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), facts, host, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), facts, host, strict=strict)
