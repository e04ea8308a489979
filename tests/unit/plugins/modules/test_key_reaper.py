# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""The results of the module key_reaper after failures. Blocking and deleting keys: tests/integration."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rhpds.litellm_virtual_keys.plugins.module_utils.litellm import options
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.model import LitellmModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.scripted import Reply
from ansible_collections.rhpds.litellm_virtual_keys.tests.support.litellm.served_model import Fault, ServedModel
from ansible_collections.rhpds.litellm_virtual_keys.tests.unit.module_parts import Modules

BROKEN = Reply(status=500, json={"error": {"message": "broken"}})


@pytest.mark.parametrize(("path", "reply"), [("/key/delete", BROKEN), ("/key/delete", Reply(json={"deleted_keys": []})), ("/key/update", BROKEN)])
def test_a_failure_reports_what_was_done_before(path: str, reply: Reply) -> None:
    """One of three labs is an orphan in its grace period, and two become orphans."""
    with ServedModel(LitellmModel()) as served:
        modules = Modules(served)
        for guid in ("old", "new1", "new2"):
            modules.run_ok("virtual_keys", guid=guid, keys=[{}], models=["granite"])
        rules = {"min_age": "0s", "grace": "0s", "max_share": 100, "parallel_calls": 1}
        modules.run_ok("key_reaper", live_labs=["new1", "new2"], stage="block", **rules)
        served.faults = [Fault(path, reply, skip=1 if path == "/key/update" else 0)]
        result = modules("key_reaper", live_labs=["another"], stage="delete", **rules)
    assert result["failed"] and result["changed"] and result["deleted"] == 0, result
    assert result["blocked"] == (1 if path == "/key/update" else 2) and len(result["labs"]) == 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/labs?token=hunter2", "http://me:hunter2@127.0.0.1:9/labs"])
def test_no_secret_of_an_address_is_shown(url: str) -> None:
    with ServedModel(LitellmModel()) as served:
        result = Modules(served)("key_reaper", live_url=url, _no_log=False)
    assert result["failed"] and "hunter2" not in json.dumps(result)
    if "invocation" in result:  # up to ansible-core 2.20
        assert result["invocation"]["module_args"]["live_url"] == "http://127.0.0.1:9/labs"


def test_a_missing_library_is_reported_before_the_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "REQUESTS_ERROR", ImportError("No module named 'requests'"))
    with ServedModel(LitellmModel()) as served:
        assert Modules(served)("key_reaper", live_url="http://127.0.0.1:9/labs")["code"] == "missing_library"


@pytest.mark.parametrize("alias", ["virtkey-abc", "virtkey-abc-free", "virtkey-abc.retired-0123456789ab"])
@pytest.mark.parametrize("noted", [{}, {"litellm_virtual_keys": {"format": 1}}])
def test_a_revoked_value_stays_blocked_when_its_lab_comes_back(alias: str, noted: dict[str, Any]) -> None:
    """Somebody made it again with the notes that it had, and an admin, or a run that was cut off, has blocked it."""
    with ServedModel(LitellmModel()) as served:
        modules, model = Modules(served), served.model
        value = modules.run_ok("virtual_keys", guid="abc", keys=[{}], models=["granite"], _no_log=True)["virtual_keys"][0]["value"]
        modules.run_ok("virtual_keys", guid="abc", state="absent")
        mark = {"litellm_virtual_keys_orphan": {"since": "2026-01-01T00:00:00Z"}, "guid": "abc", **noted}
        modules.run_ok("virtual_keys", guid="other", keys=[{}], models=["granite"])
        for row in model.rows.values():
            row.update(blocked=True, metadata={**row["metadata"], **mark, "guid": "other"})
        model.handle("POST", "/key/generate", {}, {"key": value, "key_alias": alias, "metadata": mark, "blocked": True})
        for _time in range(3):
            result = modules.run_ok("key_reaper", live_labs=["abc", "other"], stage="delete", min_age="0s", max_share=100)
            assert not model.works(value) and any("revoked before" in str(warning) for warning in result["warnings"])
        assert [row["blocked"] for row in model.rows.values()] == [False, True], "the other lab has come back"
