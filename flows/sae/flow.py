"""SAE as a table: a sealed record on its way to an archive service outside, to its acceptance there or its refusal."""

from __future__ import annotations

from datetime import timedelta

from flows.engine.table import End, Flow, On, Wait
from flows.sae.stages import send

# Those of the settings count from the first look on; these ring when nobody looks at all.
_ACKNOWLEDGED_WITHIN, _ANSWERED_WITHIN = timedelta(hours=1), timedelta(days=30)

SAE = Flow(
    "sae",
    #    in this state    this stage, or waits for      leads to
    On("ready", send, sent="sent", refused="refused"),
    Wait("sent", waits_for="l’accusé de réception du service d’archives", within=_ACKNOWLEDGED_WITHIN,
         acknowledged="acknowledged", accepted="accepted", refused="refused", again="ready", given_up="given_up"),
    Wait("acknowledged", waits_for="la réponse du service d’archives", within=_ANSWERED_WITHIN,
         accepted="accepted", refused="refused", again="ready", given_up="given_up"),
    Wait("refused", waits_for="la décision de l’archiviste", again="ready", given_up="given_up"),
    End("accepted", good=True), End("given_up"),
)  # fmt: skip
"""Acceptance takes nothing away here: the sealed package stays what it was, and its elimination a decision of its own."""
