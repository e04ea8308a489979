# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""A stand-in for a checkout of AgnosticD v2: its mains with the configs openshift-workloads and namespace, Showroom, and the tenant loop.

AgnosticD is not on PyPI. The stand-in follows the order of plays and includes, the variables and the facts of agnosticd-v2 (aa91566) and
core_workloads (383300a), without a line of theirs. It leaves out what needs a cluster; a cluster counts as reachable if anything answers
at its address.
"""

from __future__ import annotations

from pathlib import Path

SHOWROOM = "agnosticd.showroom.ocp4_workload_showroom"
TENANT_LOOP = "agnosticd.core_workloads.ocp4_workload_multi_tenant_loop"

_MAIN = """
- hosts: localhost
  connection: local
  gather_facts: false
  become: false
  any_errors_fatal: true
  tasks:
    - ansible.builtin.include_tasks: configs/{{ config }}/FILE
"""

# A workload is a name, or a mapping with a name, with the clusters on which it is deployed and whether it needs them at all.
_IN_ONE_FORM = """
- ansible.builtin.assert:
    that: WORKLOADS is defined and WORKLOADS is sequence
- ansible.builtin.set_fact:
    _workloads: "{{ _workloads | default([]) + [_workload | combine({'clusters': _workload.clusters | default(['default'])})] }}"
  loop: "{{ WORKLOADS }}"
  vars:
    _workload: "{{ item if item is mapping else {'name': item} }}"
"""
# A list of mappings is the former way to write the clusters.
_CLUSTERS = """
- ansible.builtin.set_fact:
    _clusters: "{{ _known if _known is mapping else (_known | combine) }}"
  vars:
    _known: "{{ clusters | default({}) }}"
"""
_DEPLOY = """
- ansible.builtin.include_tasks: deploy_one.yml
  loop: "{{ _workloads }}"
  loop_control:
    loop_var: workload_item
  vars:
    ACTION: provision
"""
_DEPLOY_ONE = """
- ansible.builtin.include_role:
    name: "{{ workload_item.name }}"
    apply:
      environment:
        K8S_AUTH_HOST: "{{ _clusters[_cluster_name].api_url }}"
        K8S_AUTH_API_KEY: "{{ _clusters[_cluster_name].api_token }}"
        K8S_AUTH_VERIFY_SSL: "false"
  loop: "{{ workload_item.clusters }}"
  loop_control:
    loop_var: _cluster_name
"""
# On the way out, workloads on a cluster that does not answer are passed over, unless they do not need it.
_DESTROY = """
- ansible.builtin.uri:
    url: "{{ item.value.api_url }}"
    validate_certs: false
    status_code: [200, 401, 403, 404]
  loop: "{{ _clusters | dict2items }}"
  register: _answers
  failed_when: false
- ansible.builtin.include_tasks: destroy_one.yml
  loop: "{{ _workloads }}"
  loop_control:
    loop_var: workload_item
  vars:
    ACTION: destroy
    _reachable: "{{ _answers.results | selectattr('status', 'gt', 0) | map(attribute='item.key') | list }}"
"""
_DESTROY_ONE = _DEPLOY_ONE + "  when: workload_item.no_k8s_api | default(false) | bool or _cluster_name in _reachable\n"

# Config namespace includes a role by the whole entry, and passes over all workloads if the name of the cluster is not known any more.
_NAMESPACE = """
- ansible.builtin.include_role:
    name: "{{ workload_loop_var }}"
    apply:
      environment:
        K8S_AUTH_HOST: "{{ sandbox_openshift_api_url | default(omit) }}"
  vars:
    ACTION: provision
  loop: "{{ workloads }}"
  loop_control:
    loop_var: workload_loop_var
"""
_NAMESPACE_DESTROY = """
- ansible.builtin.command:
    argv: [getent, hosts, "{{ sandbox_openshift_api_url | urlsplit('hostname') }}"]
  register: _name
  when: sandbox_openshift_api_url is defined
  changed_when: false
  failed_when: false
- ansible.builtin.include_role:
    name: "{{ workload_loop_var }}"
  vars:
    ACTION: remove
  loop: "{{ remove_workloads | default(workloads | reverse | list) }}"
  loop_control:
    loop_var: workload_loop_var
  when: _name.rc | default(0) == 0
"""

# Showroom lays the data of a user over those of all. A lab whose data have users is one of many users, each with a namespace.
_SHOWROOM = """
- ansible.builtin.command: printenv K8S_AUTH_HOST
  changed_when: false
- when: ACTION == 'provision'
  block:
    - ansible.builtin.set_fact:
        _all: "{{ lookup('ansible.builtin.file', output_dir ~ '/provision-user-data.yaml') | from_yaml }}"
        _namespace: "{{ ocp4_workload_tenant_keycloak_username ~ '-showroom' if ocp4_workload_tenant_keycloak_username is defined else 'showroom' }}"
      no_log: true
    - ansible.builtin.copy:
        content: "key={{ _mine.litellm_virtual_key }} url={{ _mine.litellm_api_base_url }} models={{ _mine.litellm_available_models_list }}\\n"
        dest: "{{ output_dir }}/{{ _namespace }}{{ '-' ~ item.key if item.key else '' }}.adoc"
        mode: "0600"
      loop: "{{ _all.users | default({'': {}}) | dict2items }}"
      vars:
        _mine: "{{ _all | combine(item.value) }}"
      no_log: true
- ansible.builtin.file:
    path: "{{ output_dir }}/showroom-removed"
    state: touch
    mode: "0600"
  when: ACTION == 'destroy'
"""

# The tenant loop, an ordinary workload: all tenants' workloads first, then the data of each tenant under their name.
_LOOP = """
- when: ACTION == 'provision'
  block:
    - ansible.builtin.include_tasks: tenant.yml
      loop: "{{ range(1, num_users | int + 1) | list }}"
      loop_control:
        loop_var: _tenant_number
    - rhpds.litellm_virtual_keys.agnosticd_user_info:
        user: "user{{ item }}"
        data: {user: "user{{ item }}"}
      loop: "{{ range(1, num_users | int + 1) | list }}"
- ansible.builtin.include_tasks: remove_tenant.yml
  loop: "{{ range(num_users | int, 0, -1) | list }}"
  loop_control:
    loop_var: _tenant_number
  when: ACTION == 'destroy'
"""
_TENANT = """
- ansible.builtin.set_fact:
    ocp4_workload_tenant_keycloak_username: "user{{ _tenant_number }}"
- ansible.builtin.include_role:
    name: "{{ _tenant_workload }}"
  vars:
    ocp4_workload_tenant_keycloak_username: "user{{ _tenant_number }}"
  loop: "{{ tenant_workloads }}"
  loop_control:
    loop_var: _tenant_workload
"""
_REMOVE_TENANT = """
- block:
    - ansible.builtin.include_role:
        name: "{{ _tenant_workload }}"
      vars:
        ocp4_workload_tenant_keycloak_username: "user{{ _tenant_number }}"
      loop: "{{ tenant_remove_workloads }}"
      loop_control:
        loop_var: _tenant_workload
  rescue:
    - ansible.builtin.debug:
        msg: "user{{ _tenant_number }} is left as it is"
"""


def _role(name: str) -> str:
    namespace, collection, role = name.split(".")
    return f"collections/ansible_collections/{namespace}/{collection}/roles/{role}/tasks"


FILES = {
    "main.yml": _MAIN.replace("FILE", "software.yml"),
    "destroy.yml": _MAIN.replace("FILE", "destroy_env.yml"),
    "configs/openshift-workloads/software.yml": _IN_ONE_FORM.replace("WORKLOADS", "workloads") + _CLUSTERS + _DEPLOY,
    "configs/openshift-workloads/destroy_env.yml": _IN_ONE_FORM.replace("WORKLOADS", "remove_workloads") + _CLUSTERS + _DESTROY,
    "configs/openshift-workloads/deploy_one.yml": _DEPLOY_ONE,
    "configs/openshift-workloads/destroy_one.yml": _DESTROY_ONE,
    "configs/namespace/software.yml": _NAMESPACE,
    "configs/namespace/destroy_env.yml": _NAMESPACE_DESTROY,
    f"{_role(SHOWROOM)}/main.yml": _SHOWROOM,
    f"{_role(TENANT_LOOP)}/main.yml": _LOOP,
    f"{_role(TENANT_LOOP)}/tenant.yml": _TENANT,
    f"{_role(TENANT_LOOP)}/remove_tenant.yml": _REMOVE_TENANT,
}


def write_agnosticd(checkout: Path) -> Path:
    """Write the stand-in as the folder `ansible` of `checkout`, and return that folder."""
    for name, text in FILES.items():
        file = checkout / "ansible" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"---{text}", encoding="utf-8")
    return checkout / "ansible"
