# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The options that modules for keys share, the policy they describe, and the result. The doc fragments `limits.value` and `proof` describe the options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from ..common import durations
from ..litellm.options import SECRET_SPEC
from .known_values import known_values, texts
from .limits import LIMITS_SPEC
from .plan import OnUnrecoverable, Policy
from .revocation import CACHE_SECONDS, Proof, ProofKind

if TYPE_CHECKING:
    from .reconcile import Reconciler
    from .results import KeyOutcome

LATEST_GENERATION = 1_000_000

VALUE_SPEC: dict[str, dict[str, Any]] = {
    **SECRET_SPEC,
    "on_unrecoverable": {"type": "str", "choices": ["fail", "rotate", "keep"], "default": "fail"},
    "rotation": {"type": "str"},
    "rotation_grace": {"type": "str", "default": "0s"},
    "check_models": {"type": "bool", "default": True},
    "create": {"type": "bool", "default": True},
    "first_generation": {"type": "int", "default": 0},
}

PROOF_SPEC: dict[str, dict[str, Any]] = {
    "proof": {"type": "str", "choices": [kind.value for kind in ProofKind], "default": ProofKind.QUICK.value},
    "proof_cache_time": {"type": "float", "default": CACHE_SECONDS},
    "proof_workers": {"type": "int", "default": 1},
    "proof_timeout": {"type": "float"},
}


class KeyTask(Protocol):
    """A task that manages keys, as far as its work needs to know it; a module is one (AnsibleModule)."""

    params: dict[str, Any]
    """The arguments, converted."""
    check_mode: bool
    no_log: bool
    """Whether the output is hidden, so that the result may hold values of keys."""
    no_log_values: set[str]
    """What is censored in the result."""
    _diff: bool

    def warn(self, warning: str) -> None: ...
    def fail_json(self, msg: str, **result: Any) -> NoReturn: ...


def policy_of(params: Mapping[str, Any], *, prune: bool = False) -> Policy:
    """Return the policy that the arguments of `VALUE_SPEC` describe. Raises ValueError for a `rotation_grace` that is not a duration."""
    grace = params["rotation_grace"]
    return Policy(
        prune=prune,
        on_unrecoverable=OnUnrecoverable(params["on_unrecoverable"]),
        grace=0 if grace == "0" else durations.seconds(grace, "rotation_grace", least=0),
        first_generation=check_generation(params["first_generation"], "first_generation"),
    )


def check_generation(generation: int, name: str) -> int:
    """Return `generation`. Raises ValueError, which calls it `name`, if no key gets that far."""
    if not 0 <= generation < LATEST_GENERATION:
        raise ValueError(f"{name} is {generation:.15g}; give a number from 0 to {LATEST_GENERATION - 1}.")
    return generation


_DEFAULTS = {"keep_going": False, **{name: rules.get("default") for name, rules in VALUE_SPEC.items()}}


def refuse_without_effect(params: Mapping[str, Any], names: Iterable[str], why: str, *, of: str = "") -> None:
    """Raise ValueError if one of `names`, options that describe a key, is given. `why` continues `would have no effect`, `of` is the path before the names."""
    given = [f"{of}{name}" for name in names if params.get(name) is not None and params[name] != _DEFAULTS.get(name)]
    if given:
        raise ValueError(f"{', '.join(given)} would have no effect {why}.")


DESCRIBING = (*LIMITS_SPEC, "rotation", "rotation_grace", "on_unrecoverable", "first_generation", "create", "check_models")
"""The options that describe a key; none of them counts when it is deleted."""


def refuse_to_describe_deleted_keys(params: Mapping[str, Any]) -> None:
    """Raise ValueError if the arguments describe keys that are to be deleted."""
    why = "with state absent; leave it out, or give another state"
    refuse_without_effect(params, DESCRIBING, why)
    for number, key in enumerate(params.get("keys") or ()):
        refuse_without_effect(key, (*LIMITS_SPEC, "create"), why, of=f"keys[{number}].")


def proof_of(params: Mapping[str, Any]) -> Proof:
    """Return the proof that the arguments of `PROOF_SPEC` describe. Raises ValueError for a number that cannot be used."""
    return Proof(ProofKind(params["proof"]), params["proof_cache_time"], params["proof_workers"], params["proof_timeout"])


def result_for(task: KeyTask, reconciler: Reconciler, outcome: KeyOutcome, known: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the result of a module that manages keys. Values are included only for a task that hides its output (`no_log: true`).

    `known` are values that the caller knows, by their sha256.
    """
    for warning in dict.fromkeys([*outcome.plan.warnings, *outcome.warnings]):
        task.warn(warning)
    warn_of_unknown_values(task, outcome)
    result = outcome.to_result(reveal=reconciler.value_of if task.no_log else None, known=known, with_diff=task._diff)
    return {**result, "calls": reconciler.api.client.calls}


def warn_of_unknown_values(task: KeyTask, *outcomes: KeyOutcome | None) -> None:
    """Warn of keys that were deleted without a proof, because nobody knows their values."""
    for outcome in outcomes:
        warning = outcome.revocation.warning() if outcome and outcome.revocation else None
        if warning:
            task.warn(warning)


def take_known_values(task: KeyTask) -> dict[str, str]:
    """Return the values of keys in the argument `known_values`, by their sha256.

    Ansible would censor everything in that argument wherever it appears, even the values in the result, which a task
    that hides its output exists to get. So only what must not be seen is censored here, and the argument is removed
    from the invocation that the module shows.
    """
    tree = task.params["known_values"]
    values = known_values(tree)
    task.params["known_values"] = None
    secrets = {params[name] for params in (task.params, task.params.get("target") or {}) for name in ("api_key", "secret") if params.get(name)}
    task.no_log_values.difference_update(set(texts(tree)) - secrets)
    if not task.no_log:
        task.no_log_values.update(values.values())
    return values
