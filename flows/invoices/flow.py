"""INVOICES as a table: an invoice from the day it is found at Chorus Pro to its sealed record, whatever comes back to it."""

from __future__ import annotations

from datetime import timedelta

from flows.engine.table import End, Flow, On, Wait
from flows.invoices.archiving import archive
from flows.invoices.handing import hand
from flows.invoices.routing import decide, route, withdraw
from flows.invoices.stages import check, fetch
from flows.parapheur.stages import proceed

# As for the other flows: an operator is told then, and the folder stays where it is.
_VISA_WITHIN = timedelta(days=30)
# A finance software that has acknowledged nothing for a week is stopped, or does not acknowledge at all.
_ACKNOWLEDGEMENT_WITHIN = timedelta(days=7)

SUSPENDED, COMPLETED, ENDED = "suspended", "completed", "ended"
"""Events that come of Chorus Pro: the supplier has the invoice again, has given it back, or its life is over."""

INVOICES = Flow(
    "invoices",
    #    in this state    this stage, or waits for      leads to
    On("received", fetch, stored="stored"),
    On("stored", check, checked="checked", suspended="suspended"),
    On("checked", route, asked="proceeding", straight="to_hand", over="closing"),
    On("proceeding", proceed, waiting="in_parapheur", again="proceeding", completed="visaed",
       declined="objected", given_up="objected"),
    Wait("in_parapheur", waits_for="le visa du service", within=_VISA_WITHIN,
         going_on="proceeding", completed="visaed", declined="objected", given_up="objected",
         suspended="withdrawing", ended="withdrawing"),
    On("visaed", decide, certified="to_hand"),
    Wait("objected", waits_for="une décision du gestionnaire", again="checked", accepted="to_hand",
         suspended="suspended", ended="closing"),
    On("withdrawing", withdraw, suspended="suspended", ended="closing"),
    On("to_hand", hand, offered="handed", suspended="suspended", over="closing"),
    Wait("handed", waits_for="l’accusé de réception du logiciel financier", within=_ACKNOWLEDGEMENT_WITHIN,
         taken="following", refused="objected", suspended="suspended", ended="closing"),
    Wait("following", waits_for="le paiement", suspended="suspended", ended="closing"),
    Wait("suspended", waits_for="le complément du fournisseur", completed="received", ended="closing"),
    On("closing", archive, sealed="archived"),
    End("archived", good=True),
)  # fmt: skip
