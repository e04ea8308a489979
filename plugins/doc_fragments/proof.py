# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later

"""How to prove that deleted keys are refused: options of every module that deletes keys."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  proof:
    description:
      - How to prove that the gateway refuses the values of deleted keys. It is called with each of them. Only LiteLLM's own
        refusal counts; an error page or the refusal of a proxy in front of the gateway does not.
      - LiteLLM's workers remember a key for a while. The worker that deletes a key forgets it at once, any other one only after
        O(proof_cache_time).
      - With V(quick) every value must be refused a few times in a row, on a new connection each time. This takes
        milliseconds, and is a full proof for a gateway with one worker. With several, a worker that no call met may still
        accept a value for the rest of O(proof_cache_time).
      - With V(certain) the module waits until every worker has forgotten the keys, for O(proof_cache_time) and five seconds,
        and then calls. Use this where a value that works for another minute is a danger, for example after a leak.
      - With V(none) the gateway is not called. Only its list shows then that the keys are gone.
      - If the proof fails, so does the module, with the code V(still_accepted) if the gateway still accepts a value, and
        with V(unproven) if it could not be asked. The keys are deleted in both cases. Running the same task again within a day
        tries the values again, if the gateway keeps a list of deleted keys.
      - A key that somebody made again under another alias, with a value that was deleted within a day, is deleted as well, whatever
        this option says.
    type: str
    choices: [quick, certain, none]
    default: quick
  proof_cache_time:
    description:
      - How many seconds the gateway's workers remember a key. This is C(user_api_key_cache_ttl) in the C(general_settings) of
        LiteLLM's configuration, and 60 if it is not set there.
      - With V(quick) the gateway may accept a value for this long and five seconds before that counts as a failure.
    type: float
    default: 60
  proof_workers:
    description:
      - How many workers the gateway has, in all its replicas. With O(proof=quick), the more there are, the more often each
        value is tried. If the calls spread evenly over the workers, at most 1 proof of 100 misses a worker that still
        accepts the value. That is 7 calls for each value with 2 workers, 17 with 4, and 35 with 8.
    type: int
    default: 1
  proof_timeout:
    description:
      - How many seconds the whole proof may take, with all retries.
      - If not set, this is O(proof_cache_time), five seconds, and a minute for every thousand calls begun, but at most half an
        hour.
    type: float
"""
