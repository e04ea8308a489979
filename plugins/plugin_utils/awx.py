# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""What is to know of the modules that write to AWX: how an object is found, and what their answers mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
"""The modules, by name, in the order in which their objects need each other."""

FOUND_BY = {"credential": ("credential_type",), "inventory_source": ("inventory",)}
"""What an object is found by, beside its name and its organization."""

GLOBAL = ("organization", "credential_type", "execution_environment")
"""Objects that are found by their name alone."""

NOT_THERE = (
    "returned 0 items, expected 1",
    "was not found",
    "missing items",
    "Unable to Find unified_job_template",
    "'NoneType' object is not subscriptable",  # the module `schedule` looks at the template before it has found one
)
"""How the modules of awx.awx 24 say that something that an object refers to is not there."""


def module_options(kind: str, options: Mapping[str, Any], state: str) -> dict[str, Any]:
    """What the module of that kind is told: all that the object is, or only what finds it when it shall go. A role is found by all of it."""
    if state == "present" or kind == "role":
        return {**options, "state": state}
    names = ("name", *(() if kind in GLOBAL else ("organization",)), *FOUND_BY.get(kind, ()))
    return {**{name: options[name] for name in names if name in options}, "state": state}


def module_calls(kind: str, options: Mapping[str, Any], state: str) -> list[tuple[str, dict[str, Any]]]:
    """The modules to run for an object, and what to tell them.

    One, but for a workflow: its module writes to approval nodes each time, and reports a change each time, so every node gets its own.
    """
    if kind != "workflow_job_template" or state != "present":
        return [(kind, module_options(kind, options, state))]
    nodes = {node["identifier"]: node for node in options.get("workflow_nodes", [])}
    template = {name: value for name, value in options.items() if name != "workflow_nodes"}
    calls = [(kind, module_options(kind, template, state))]
    for identifier in _last_first(nodes):
        calls += [("workflow_job_template_node", told) for told in _node_calls(nodes[identifier], options)]
    return calls


def _links(node: Mapping[str, Any]) -> dict[str, list[str]]:
    """The nodes that follow a node, by the option that names them."""
    related = node.get("related", {})
    return {name: [each["identifier"] for each in related[name]] for name in ("success_nodes", "failure_nodes", "always_nodes") if related.get(name)}


def _last_first(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The nodes in an order in which each comes after those that follow it, because a link needs its end."""
    graph = {identifier: [after for names in _links(node).values() for after in names] for identifier, node in nodes.items()}
    if strangers := sorted({after for afters in graph.values() for after in afters} - set(nodes)):
        raise ValueError(f"The workflow has no node {', '.join(strangers)}, and a link leads there; correct workflow_nodes.")
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(f"The workflow goes in a circle: {' -> '.join(error.args[1])}; correct workflow_nodes.") from None


def _node_calls(node: Mapping[str, Any], workflow: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the module of a node is told. An approval and its links are two calls: in one the module asks AWX for links of the approval."""
    template, links = node["unified_job_template"], _links(node)
    told: dict[str, Any] = {"identifier": node["identifier"], "workflow_job_template": workflow["name"], "state": "present"}
    if "organization" in workflow:
        told["organization"] = workflow["organization"]
    if template["type"] == "workflow_approval":
        yield {**told, "approval_node": {name: template[name] for name in ("name", "description", "timeout") if name in template}}
        if links:
            yield {**told, **links}
        return
    told["unified_job_template"] = template["name"]
    if "organization" in template:
        told["lookup_organization"] = template["organization"]["name"]
    if "extra_data" in node:
        told["extra_data"] = node["extra_data"]
    yield {**told, **links}


def judged(answer: Mapping[str, Any], state: str, check_mode: bool) -> dict[str, Any]:
    """The module's answer, unless it failed for want of what is allowed to be missing.

    In check mode that is whatever the run would have made before. For an object that shall go it is what it was part of.
    """
    result = dict(answer)
    if not result.get("failed") or not (check_mode or state == "absent"):
        return result
    said = " ".join(str(result.get(name, "")) for name in ("msg", "module_stderr", "exception"))
    if not any(words in said for words in NOT_THERE):
        return result
    for name in ("exception", "module_stderr", "module_stdout", "rc"):
        result.pop(name, None)
    what = "would be made, after what it refers to" if state == "present" else "is not there"
    return {**result, "failed": False, "changed": state == "present", "msg": f"The object {what}."}
