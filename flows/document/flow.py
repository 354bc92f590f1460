"""The generic document as a table: through the parapheur, and into the archive."""

from __future__ import annotations

from flows.document.stages import archive, check
from flows.engine.table import End, Flow, On, Wait
from flows.parapheur.stages import proceed

DOCUMENT = Flow(
    "document",
    #    in this state      this stage, or waits for      leads to
    On("received", check, accepted="proceeding", refused="rejected"),
    On("proceeding", proceed, waiting="in_parapheur", again="proceeding", completed="validated",
       declined="in_parapheur", given_up="given_up"),
    Wait("in_parapheur", waits_for="le parapheur",
         going_on="proceeding", completed="validated", given_up="given_up"),
    On("validated", archive, sealed="archived"),
    End("archived", good=True), End("rejected"), End("given_up"),
)  # fmt: skip
