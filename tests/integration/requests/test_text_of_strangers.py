# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Templates in the texts of requesters are never run: in passes, mails, tables and notices."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rhpds.litellm_virtual_keys.tests.integration.requests.desk import GRANITE, Desk


def test_templates_in_requests_are_text(desk: Desk, tmp_path: Path) -> None:
    run_by = {field: tmp_path / f"run-by-{field}" for field in ("purpose", "model", "reason")}
    purpose = f"{{{{ lookup('ansible.builtin.pipe', 'touch {run_by['purpose']}') }}}}"
    # A model has no comma in its name, and this needs none. It works where templates are not sandboxed, before ansible-core 2.19.
    model = f"{{{{ lipsum.__globals__.os.popen('touch {run_by['model']}').read() }}}}"
    desk.ask("eve@company.com", models=[GRANITE], purpose=purpose)
    desk.ask("mal@company.com", models=[f"llama {model}"], purpose=purpose)
    desk.ask("ray@company.com", models=[f"mistral {model}"], purpose=purpose)
    review = desk.ask("tom@company.com", models=["openai/mistral-7b-instruct"], purpose=purpose)

    desk.process()
    desk.act("requests")
    desk.act("deny", request_id=review, reason={"__ansible_unsafe": f"{{{{ lookup('ansible.builtin.pipe', 'touch {run_by['reason']}') }}}}"})
    desk.process()
    desk.act("requests", output="json")
    desk.act("notices", key_requests_expiry_notices=["2000h"])
    assert [path.name for path in run_by.values() if path.exists()] == []
    states = {email: request["state"] for email, request in desk.requests().items()}
    assert states["eve@company.com"] == "approved" and states["mal@company.com"] == states["tom@company.com"] == "denied"
    assert any(purpose in mail.part("plain") for mail in desk.mails("boss@company.com"))
