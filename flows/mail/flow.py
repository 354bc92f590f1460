"""MAIL as a table: a send from its draft to its sealed proof."""

from __future__ import annotations

from flows.engine.table import End, Flow, On, Wait
from flows.mail.stages import archive, check, send

MAIL = Flow(
    "mail",
    #    in this state    this stage, or waits for      leads to
    Wait("draft", waits_for="l’envoi", sent="received", abandoned="abandoned"),
    On("received", check, accepted="ready", refused="draft"),
    On("ready", send, sent="sent"),
    Wait("sent", waits_for="le retrait par les destinataires", finished="closing"),
    On("closing", archive, sealed="archived"),
    End("archived", good=True), End("abandoned"),
)  # fmt: skip
