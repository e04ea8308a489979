# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The modules that write to AWX: how they find an object, the calls for an object, and the meaning of their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

KINDS = (
    "organization",
    "team",
    "credential_type",
    "credential",
    "execution_environment",
    "notification_template",
    "project",
    "inventory",
    "inventory_source",
    "job_template",
    "workflow_job_template",
    "schedule",
    "role",
)
"""The names of the modules, in the order in which their objects need each other."""

FOUND_BY = {"credential": ("credential_type",), "inventory_source": ("inventory",)}
"""The options that find an object, besides its name and its organization."""

GLOBAL = ("organization", "credential_type", "execution_environment")
"""The modules whose objects are found by their name alone."""

BLANKED_OPTIONS = {"credential": ("inputs",)}
"""The options whose values the modules blank out of their own messages. A value of one letter leaves little of a message."""

MISSING_REFERENCE = (
    "returned 0 items, expected 1",
    "was not found",
    "missing items",
    "Unable to Find unified_job_template",
    "'NoneType' object is not subscriptable",  # the module `schedule` looks at the template before it has found one
)
"""The errors of the modules of awx.awx 24.6.1 for an object that refers to a missing one."""


def module_options(kind: str, options: Mapping[str, Any], state: str) -> dict[str, Any]:
    """Return the arguments of the module `kind`.

    To remove an object, only the options that find it are given. A role is found by all of its options.
    """
    if state == "present" or kind == "role":
        return {**options, "state": state}
    names = ("name", *(() if kind in GLOBAL else ("organization",)), *FOUND_BY.get(kind, ()))
    return {**{name: options[name] for name in names if name in options}, "state": state}


def module_calls(kind: str, options: Mapping[str, Any], state: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the modules to run for an object, each with its arguments.

    A workflow needs several. Its own module would write to approval nodes, and report a change, in every run, so each
    node is written by the module for nodes. Raises ValueError for nodes that form a circle or are missing.
    """
    if kind != "workflow_job_template" or state != "present":
        return [(kind, module_options(kind, options, state))]
    nodes = {node["identifier"]: node for node in options.get("workflow_nodes", [])}
    template = {name: value for name, value in options.items() if name != "workflow_nodes"}
    calls = [(kind, module_options(kind, template, state))]
    for identifier in _last_first(nodes):
        calls += [("workflow_job_template_node", arguments) for arguments in _node_calls(nodes[identifier], options)]
    return calls


def _links(node: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the nodes that follow a node, by the option that names them."""
    related = node.get("related", {})
    return {name: [each["identifier"] for each in related[name]] for name in ("success_nodes", "failure_nodes", "always_nodes") if related.get(name)}


def _last_first(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the nodes so that each comes after those that it links to, because a link needs its target."""
    graph = {identifier: [after for names in _links(node).values() for after in names] for identifier, node in nodes.items()}
    if missing := sorted({after for afters in graph.values() for after in afters} - set(nodes)):
        raise ValueError(f"The workflow has no node {', '.join(missing)}, and a link leads there; correct workflow_nodes.")
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(f"The workflow goes in a circle: {' -> '.join(error.args[1])}; correct workflow_nodes.") from None


def _node_calls(node: Mapping[str, Any], workflow: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the arguments for the module of a node.

    An approval and its links need two calls: in a single one, the module would look for the links at the approval.
    """
    template, links = node["unified_job_template"], _links(node)
    arguments: dict[str, Any] = {"identifier": node["identifier"], "workflow_job_template": workflow["name"], "state": "present"}
    if "organization" in workflow:
        arguments["organization"] = workflow["organization"]
    if template["type"] == "workflow_approval":
        yield {**arguments, "approval_node": {name: template[name] for name in ("name", "description", "timeout") if name in template}}
        if links:
            yield {**arguments, **links}
        return
    arguments["unified_job_template"] = template["name"]
    if "organization" in template:
        arguments["lookup_organization"] = template["organization"]["name"]
    if "extra_data" in node:
        arguments["extra_data"] = node["extra_data"]
    yield {**arguments, **links}


def contents_of_organization(organization: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what an organization has, such as `labels (2)`.

    AWX counts some kinds itself in `organization`. The others are in `answers`, the results of a loop over kinds, one of which AWX may not have.
    """
    counts = {name: int(count) for name, count in organization.get("summary_fields", {}).get("related_field_counts", {}).items()}
    counts |= {answer["__awx_catalog_asked_kind"]: int((answer.get("json") or {}).get("count", 0)) for answer in answers}
    return [f"{name} ({count})" for name, count in sorted(counts.items()) if count]


def legible_options(module: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments without those that a module blanks out of its messages, or None if there are none of these."""
    hidden = [name for name in BLANKED_OPTIONS.get(module, ()) if options.get(name)]
    return {name: value for name, value in options.items() if name not in hidden} if hidden else None


def forgive_missing(answer: Mapping[str, Any], state: str, check_mode: bool) -> dict[str, Any]:
    """Return the module's answer, as a success if it failed only because something is missing that may be missing.

    In check mode that is an object that the run would have created before. For an object to remove it is the object
    that contained it.
    """
    result = dict(answer)
    if not result.get("failed") or not (check_mode or state == "absent"):
        return result
    error = " ".join(str(result.get(name, "")) for name in ("msg", "module_stderr", "exception"))
    if not any(text in error for text in MISSING_REFERENCE):
        return result
    for name in ("exception", "module_stderr", "module_stdout", "rc"):
        result.pop(name, None)
    message = "would be made, after what it refers to" if state == "present" else "is not there"
    return {**result, "failed": False, "changed": state == "present", "msg": f"The object {message}."}
