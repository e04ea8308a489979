# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Attributes of the collection's modules: their descriptions. Each module states its own support."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Runs in check mode and predicts what a real run would change, without writing to the gateway.
  diff_mode:
    description: Returns what changed, or would change in check mode, as before and after when in diff mode.
  idempotent:
    description:
      - Running it again with the same arguments, when nothing else touched the gateway in between, changes nothing.
      - This holds outside of check mode too, so a run that failed half way is finished by running it again.
"""

    # For modules that only read.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module only reads, so check mode and a real run are the same.
  diff_mode:
    support: N/A
    details:
      - This module only reads, so there is never a difference.
  idempotent:
    support: full
    details:
      - This module only reads.
"""

    # For modules that take the options of the fragment `gateway`.
    LITELLM = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/rhpds.litellm_virtual_keys.litellm) in C(module_defaults) to give the gateway's address, key,
        TLS settings and timeouts once for all modules that talk to it.
    support: full
    membership:
      - rhpds.litellm_virtual_keys.litellm
"""
