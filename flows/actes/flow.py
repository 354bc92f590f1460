"""ACTES as a table: an act from its deposit to its sealed record, with every message that follows it.

What follows an act (letters of the préfecture, answers, cancellation) moves on its own and is kept in ``actes_message``; the
table says when the dossier has something to send.
"""

from __future__ import annotations

from datetime import timedelta

from flows.actes.stages import answer, archive, check, confirm, pack, sign, transmit
from flows.engine.table import End, Flow, On, Wait
from flows.parapheur.stages import proceed

# The ministry answers in minutes; the operators' own alarms ring after four hours (rule of the field, actes 7).
DOUBT_WITHIN = timedelta(hours=4)
"""After how long of silence a person is told of a sending that is uncertain."""

_ANSWER_WITHIN = timedelta(days=2)
_DECISION_WITHIN = timedelta(days=30)

ACTES = Flow(
    "actes",
    #    in this state      this stage, or waits for      leads to
    On("received", check, accepted="checked", refused="rejected"),
    On("checked", sign, kept="ready", asked="proceeding"),
    On("proceeding", proceed, waiting="in_parapheur", again="proceeding", completed="validated",
       declined="declined", given_up="given_up"),
    Wait("in_parapheur", waits_for="le parapheur", within=_DECISION_WITHIN,
         going_on="proceeding", completed="validated", declined="declined", given_up="given_up"),
    On("validated", confirm, sound="ready"),
    On("ready", pack, packed="packed"),
    On("packed", transmit, sent="sent", uncertain="uncertain", outdated="ready"),
    Wait("uncertain", waits_for="la réponse du ministère à un envoi incertain", within=DOUBT_WITHIN,
         acknowledged="acknowledged", refused="refused", again="packed"),
    Wait("sent", waits_for="l’accusé de réception du ministère", within=_ANSWER_WITHIN,
         acknowledged="acknowledged", refused="refused"),
    Wait("acknowledged", waits_for="la fin du contrôle de légalité",
         to_send="answering", elapsed="elapsed", withdrawn="withdrawn"),
    On("answering", answer, more="answering", done="acknowledged"),
    On("elapsed", archive, sealed="archived"),
    On("withdrawn", archive, sealed="cancelled"),
    End("archived", good=True), End("cancelled"),
    End("rejected"), End("declined"), End("given_up"), End("refused"),
)  # fmt: skip
