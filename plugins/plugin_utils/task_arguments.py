# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Read the arguments of a task whose action runs on the controller, as strictly as the modules read theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail

from ..module_utils.common.options import usable_arguments


def checked_arguments(action: Any, spec: Mapping[str, Mapping[str, Any]], **rules: Any) -> dict[str, Any]:
    """Return the arguments of the task of `action` (an ActionBase), converted as `spec` says. Raises AnsibleActionFail for arguments that cannot be used.

    `rules` are those of `ActionBase.validate_argument_spec`, such as `required_one_of`.
    """
    action._task.args, refusals = usable_arguments(spec, action._task.args)
    if refusals:
        raise AnsibleActionFail(refusals[0])
    _validation, arguments = action.validate_argument_spec(argument_spec=dict(spec), **rules)
    return dict(arguments)
