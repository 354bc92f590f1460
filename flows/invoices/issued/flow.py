"""SALES as a table: an invoice of ours from its deposit here to its sealed record, paid or rejected."""

from __future__ import annotations

from datetime import timedelta

from flows.engine.table import End, Flow, On, Wait
from flows.invoices.issued.stages import archive, check, complete, deposit

# A deposit is treated within minutes, within hours on busy days: what is not seen by then, a person has to look for.
_SEEN_WITHIN = timedelta(hours=4)
_REPORT_WITHIN = timedelta(days=2)

SALES = Flow(
    "sales",
    #    in this state     this stage, or waits for      leads to
    On("received", check, accepted="checked", refused="rejected"),
    On("checked", deposit, deposited="deposited", found="issued", uncertain="uncertain", refused="rejected"),
    Wait("uncertain", waits_for="de savoir si Chorus Pro a le dépôt", within=_SEEN_WITHIN,
         found="issued", known="deposited", again="checked", given_up="given_up"),
    Wait("deposited", waits_for="le compte rendu du dépôt", within=_REPORT_WITHIN,
         integrated="issued", declined="refused", incident="checked", unclear="uncertain"),
    Wait("issued", waits_for="la décision du destinataire", suspended="suspended", ended="closing"),
    Wait("suspended", waits_for="un complément", answered="completing", resumed="issued", ended="closing"),
    On("completing", complete, completed="issued"),
    On("closing", archive, sealed="archived"),
    End("archived", good=True), End("rejected"), End("refused"), End("given_up"),
)  # fmt: skip
