"""What a recipient asks of invoices is asked of Chorus Pro before one of ours is deposited."""

from __future__ import annotations

from dataclasses import replace

from connectors.chorus import services
from connectors.chorus.simulated_world import DEMONSTRATION
from schemas.invoices.parties import SIREN, SIRET, Identifier
from schemas.invoices.sample import BUYER
from tests.conftest import on_one_shape
from tests.sales import Shop

CCAS = replace(
    BUYER,
    name="CCAS",
    legal_id=Identifier("264009994", SIREN),
    identifiers=(Identifier("26400999400015", SIRET),),
    electronic=Identifier("264009994_26400999400015", "0225"),
)
"""It asks for a code service or an engagement."""


@on_one_shape
def test_what_the_recipient_would_reject_is_not_deposited_and_may_come_again_mended(shop: Shop) -> None:
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice(buyer=CCAS, buyer_reference="", purchase_order=""))
        shop.town.wait_for(dossier.id, "rejected")
        mended = shop.receive(shop.invoice(buyer=CCAS, buyer_reference="", purchase_order="ENG-1"))
        shop.town.wait_for(mended.id, "issued")
    (problem,) = shop.town.dossier(dossier.id).problems
    assert (problem["rule"], problem["message"][:7]) == ("V07", "«\u00a0CCAS ")
    assert len(shop.deposits()) == 1


@on_one_shape
def test_an_account_that_is_told_nothing_of_recipients_deposits_all_the_same(shop: Shop) -> None:
    portal = shop.town.state.portal
    denied = frozenset({services.STRUCTURES.path})
    portal.world = replace(DEMONSTRATION, accounts=tuple(replace(one, denied=denied) for one in DEMONSTRATION.accounts))
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice(buyer=CCAS, buyer_reference="", purchase_order=""))
        shop.town.wait_for(dossier.id, "issued")
    assert "sales.deposit.recipient_untold" in shop.journal(dossier.id)
