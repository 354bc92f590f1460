"""MAIL as a table: a send from its draft to its sealed proof, by way of those who approve it where an organisation wants that."""

from __future__ import annotations

from datetime import timedelta

from flows.engine.table import End, Flow, On, Wait
from flows.mail.stages import archive, ask, check, conclude, decline, send
from flows.parapheur.stages import proceed

# As for the other flows: an operator is told then, and the folder stays where it is.
_VISA_WITHIN = timedelta(days=30)

MAIL = Flow(
    "mail",
    #    in this state    this stage, or waits for      leads to
    Wait("draft", waits_for="l’envoi", sent="received", abandoned="abandoned"),
    On("received", check, accepted="ready", to_validate="to_validate", refused="draft"),
    On("to_validate", ask, asked="proceeding"),
    On("proceeding", proceed, waiting="in_parapheur", again="proceeding", completed="validated",
       declined="declined", given_up="declined"),
    Wait("in_parapheur", waits_for="le visa du parapheur", within=_VISA_WITHIN,
         going_on="proceeding", completed="validated", declined="declined", given_up="declined", cancelled="cancelled"),
    On("validated", conclude, approved="ready", late="rejected"),
    On("declined", decline, told="rejected"),
    On("ready", send, sent="sent"),
    Wait("sent", waits_for="le retrait par les destinataires", finished="closing"),
    On("closing", archive, sealed="archived"),
    End("archived", good=True), End("rejected"), End("cancelled"), End("abandoned"),
)  # fmt: skip
