# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""A program for Vectara that takes the address from the environment. Its corpora take the place of models."""

from __future__ import annotations

import os

from talk import talk
from vectara import KeyedSearchCorpus, SearchCorporaParameters, Vectara, VectaraEnvironment

address = os.environ["VECTARA_BASE_URL"]
client = Vectara(environment=VectaraEnvironment(default=address, auth=address))


def search(corpus: str) -> SearchCorporaParameters:
    return SearchCorporaParameters(corpora=[KeyedSearchCorpus(corpus_key=corpus)])


def ask(corpus: str) -> str:
    return client.query(query="Say hello.", search=search(corpus)).summary or ""


def stream(corpus: str) -> str:
    events = client.query_stream(query="Say hello.", search=search(corpus))
    return "".join(event.generation_chunk for event in events if event.type == "generation_chunk")


talk(ask, stream)
