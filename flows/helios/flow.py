"""HELIOS as a table: a PES from its deposit to its sealed record."""

from __future__ import annotations

from datetime import timedelta

from flows.engine.table import End, Flow, On, Wait
from flows.helios.stages import archive, check, sign, transmit

# No contractual delay is known; the operators' own alarms ring after two days without an acquit.
_ACQUIT_WITHIN = timedelta(days=2)

HELIOS = Flow(
    "helios",
    #    in this state    this stage, or waits for      leads to
    On("received", check, accepted="checked", refused="rejected"),
    On("checked", sign, sealed="signed", kept="signed"),
    On("signed", transmit, sent="sent"),
    Wait("sent", waits_for="l’acquit de la DGFiP", within=_ACQUIT_WITHIN,
         accepted="acquitted", partial="acquitted", refused="refused"),
    On("acquitted", archive, sealed="archived"),
    End("archived", good=True), End("rejected"), End("refused"),
)  # fmt: skip
