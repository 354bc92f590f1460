"""What an XML file of this room is, by the qualified name of its root: prefixes mean nothing."""

from __future__ import annotations

from enum import StrEnum

from schemas.invoices import cii, ubl

INVOICE, PIVOT, CDAR = "invoice", "cpp-pivot", "cdar"
"""Kinds, as ``tabellion check`` names them."""

MIXTE = "http://chorus-factures.budget.gouv.fr/facture"


class Root(StrEnum):
    """Roots that are told apart."""

    CII = cii.ROOT
    UBL_INVOICE = ubl.INVOICE
    UBL_CREDIT_NOTE = ubl.CREDIT_NOTE
    ZUGFERD_1 = "{urn:ferd:CrossIndustryDocument:invoice:1p0}CrossIndustryDocument"
    PIVOT = "CPPFacturePivot"
    MIXTE = f"{{{MIXTE}}}CPPFactureMixte"
    CDAR = "{urn:un:unece:uncefact:data:standard:CrossDomainAcknowledgementAndResponse:100}CrossDomainAcknowledgementAndResponse"


_KINDS = {Root.PIVOT: PIVOT, Root.MIXTE: PIVOT, Root.CDAR: CDAR}


def root_of(tag: str) -> Root | None:
    """Return which root a tag (Clark notation) is; None when it is none of this room's.

    The pivot's namespace is published nowhere, no more than its schema: it is known by its name alone.
    """
    if tag.rpartition("}")[2] == Root.PIVOT:
        return Root.PIVOT
    try:
        return Root(tag)
    except ValueError:
        return None


def kind_of_root(tag: str) -> str | None:
    """Return the kind of a document by its root; None when it is none of this room's."""
    root = root_of(tag)
    return None if root is None else _KINDS.get(root, INVOICE)
