"""HELIOS as a table: a PES from its deposit to its sealed record."""

from __future__ import annotations

from datetime import timedelta

from flows.engine.table import End, Flow, On, Wait
from flows.helios.stages import archive, check, confirm, sign, transmit
from flows.parapheur.stages import proceed

# No contractual delay is known; the operators' own alarms ring after two days without an acquit.
_ACQUIT_WITHIN = timedelta(days=2)
# What signing books usually wait for; an operator is told then, and the folder stays where it is.
_DECISION_WITHIN = timedelta(days=30)

HELIOS = Flow(
    "helios",
    #    in this state    this stage, or waits for      leads to
    On("received", check, accepted="checked", refused="rejected"),
    On("checked", sign, sealed="signed", kept="signed", asked="proceeding"),
    On("proceeding", proceed, waiting="in_parapheur", again="proceeding", completed="validated",
       declined="declined", given_up="given_up"),
    Wait("in_parapheur", waits_for="le parapheur", within=_DECISION_WITHIN,
         going_on="proceeding", completed="validated", declined="declined", given_up="given_up"),
    On("validated", confirm, sound="signed"),
    On("signed", transmit, sent="sent"),
    Wait("sent", waits_for="l’acquit de la DGFiP", within=_ACQUIT_WITHIN,
         accepted="acquitted", partial="acquitted", refused="refused"),
    On("acquitted", archive, sealed="archived"),
    End("archived", good=True), End("rejected"), End("declined"), End("given_up"), End("refused"),
)  # fmt: skip
