# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options of modules that read or write requests (doc fragment `request_store`), and the store that they name."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.module_utils.basic import missing_required_lib

from ..common.options import filled_env_fallback
from ..common.printable import printable
from .base import Store
from .directory import DirectoryStore, default_directory
from .errors import NoAccess, StoreError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

STORE_SPEC: dict[str, dict[str, Any]] = {
    "store": {"type": "str", "choices": ["file", "kubernetes"], "default": "file"},
    "directory": {"type": "path", "fallback": (filled_env_fallback, ["LITELLM_KEY_REQUESTS_DIR"])},
    "namespace": {"type": "str"},
    "kubeconfig": {"type": "path", "fallback": (filled_env_fallback, ["K8S_AUTH_KUBECONFIG"])},
    "context": {"type": "str", "fallback": (filled_env_fallback, ["K8S_AUTH_CONTEXT"])},
    "host": {"type": "str", "fallback": (filled_env_fallback, ["K8S_AUTH_HOST"])},
    "api_key": {"type": "str", "no_log": True, "fallback": (filled_env_fallback, ["K8S_AUTH_API_KEY"])},
    "ca_cert": {"type": "path", "fallback": (filled_env_fallback, ["K8S_AUTH_SSL_CA_CERT"])},
    "validate_certs": {"type": "bool", "fallback": (filled_env_fallback, ["K8S_AUTH_VERIFY_SSL"])},
    "timeout": {"type": "float", "default": 30},
}


def open_store(module: AnsibleModule) -> Store:
    """Return the store that the module's options name. Fails the module if a library is missing."""
    if module.params["store"] == "kubernetes":
        from .kubernetes_secrets import KUBERNETES_ERROR  # here, because the library loads slowly

        if KUBERNETES_ERROR is not None:
            module.fail_json(msg=missing_required_lib("kubernetes"), exception=str(KUBERNETES_ERROR), code="missing_library")
    return store_from(module.params, check_mode=module.check_mode)


def store_from(params: Mapping[str, Any], *, check_mode: bool) -> Store:
    """Return the store that `params` (names of `STORE_SPEC`) describe. Raises ValueError, and StoreError if there is no way to it."""
    if params["store"] == "file":
        return DirectoryStore(params["directory"] or default_directory(), check_mode=check_mode)
    from .kubernetes_secrets import KUBERNETES_ERROR, Access, KubernetesStore  # here, because the library loads slowly

    if KUBERNETES_ERROR is not None:
        raise NoAccess("The Python library kubernetes is missing where Ansible runs; install it, or keep requests in a directory.")
    if params["timeout"] <= 0:
        raise ValueError(f"timeout is {params['timeout']}; give a number of seconds above 0.")
    names = ("namespace", "kubeconfig", "context", "host", "api_key", "ca_cert", "validate_certs", "timeout")
    return KubernetesStore(Access(**{name: params[name] for name in names}), check_mode=check_mode)


def own_directory_note(params: Mapping[str, Any]) -> str:
    """Return what somebody who submits must know if requests go to a directory of this user alone; empty if `params` name a store."""
    if params["store"] != "file" or params["directory"]:
        return ""
    return (
        f"It is kept in {printable(default_directory(), 300)}, the directory of {acting_user()}: only passes that this user runs find it. "
        "If an administrator runs them, submit to the administrator's store."
    )


def acting_user() -> str:
    """Return the name of the user who runs the module, or the number if the system has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def exit_with(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> NoReturn:
    """End the module with the result of `work`, or with `msg` and `code` of its error."""
    try:
        module.exit_json(**work())
    except StoreError as error:
        module.fail_json(msg=str(error), code=error.code)
    except ValueError as error:
        module.fail_json(msg=str(error), code="bad_input", changed=False)
    raise AssertionError("exit_json and fail_json do not return")
