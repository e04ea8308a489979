# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""Handing a key to its user, and telling people about requests: mail, webhooks and environment files. Knows nothing of LiteLLM.

`mail` composes messages from `words`, `smtp` sends them, `outbox` does both for a batch, and `mailer` reads the settings. `refusals`
judges what a server answers, `oauth` fetches tokens to log in. `webhooks` posts the same notices, which `chat` puts into the formats of
services; `poster` is how both call an address that nobody may see. `client_env` names the variables that LLM clients read, `env_files`
writes them into files. `sealed` encrypts a key for a link that opens it once.
"""
