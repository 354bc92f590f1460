"""The numbered rules that need the platform's knowledge (V), and those of Chorus Pro on what is deposited there.

    V01  the seller is the organisation that deposits
    V02  the buyer bears a SIRET that can exist, by which Chorus Pro finds it
    V03  the file has no more octets than Chorus Pro takes
    V04  the number was not used for another invoice
    V05  attachments bear names that Chorus Pro takes
    V06  an antivirus found nothing

What the recipient asks for (V07, V08) is known once Chorus Pro was asked: ``recipient.py``.

The rules on the invoice alone are in ``schemas/invoices/rules.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlmodel import Session, select

from core.identifiers import Siret
from core.messages import Catalogue
from core.organisations import Organisation
from core.problems import Problem, Severity
from flows.invoices.issued.models import IssuedInvoice
from schemas.invoices.invoice import Attachment, Invoice

LARGEST = 10_000_000
"""Octets of a file, and of a supporting piece, that Chorus Pro takes."""
LONGEST_NAME = 50
"""Characters of the name of a supporting piece, with its extension."""
_messages = Catalogue("flows.invoices")
_SIRET_LENGTH = 14
# Kinds of supporting pieces that Chorus Pro takes (AIFE).
_TAKEN = re.compile(
    r".+\.(bmp|gif|fax|odt|ppt|tiff|xls|bz2|gz|jpeg|p7s|rtf|txt|xml|csv|gzip|jpg|pdf|svg|xhtml|xlsx|doc|htm|odp|png|tgz|xlc|zip"
    r"|docx|html|ods|pps|tif|xlm|pptx)",
    re.IGNORECASE,
)


def of_the_platform(
    session: Session, dossier_id: str, organisation_id: str, environment: str, invoice: Invoice, size: int
) -> Iterator[Problem]:
    """Yield what the platform has to say against an invoice; ``size`` in octets, of the file as deposited."""
    owner = session.get_one(Organisation, organisation_id)
    if invoice.seller.siren != (owner.siren or ""):
        yield told("V01", found=invoice.seller.siren, expected=owner.siren or "", name=owner.name)
    if len(siret := invoice.buyer.siret) != _SIRET_LENGTH:
        yield told("V02", found=siret)
    elif not (siret.isdecimal() and Siret.key_holds(siret)):
        yield told("V02", "key", found=siret, name=invoice.buyer.name)
    if size > LARGEST:
        yield told("V03", found=str(size), expected=str(LARGEST))
    if (earlier := other_of(session, dossier_id, organisation_id, environment, invoice)) is not None:
        yield told("V04", found=invoice.number, dossier=earlier)
    for one in invoice.attachments:
        yield from _of_attachment(one)


def used_already(number: str, status: str) -> Problem:
    """Return why an invoice of a number that Chorus Pro has by another way is not deposited."""
    return told("V04", "elsewhere", found=number, status=status)


def other_of(session: Session, dossier_id: str, organisation_id: str, environment: str, invoice: Invoice) -> str | None:
    """Return the other dossier that holds the number of an invoice; None when none does."""
    same = select(IssuedInvoice.dossier_id).where(
        IssuedInvoice.organisation_id == organisation_id,
        IssuedInvoice.environment == environment,
        IssuedInvoice.supplier == invoice.seller.siren,
        IssuedInvoice.number == invoice.number,
    )
    return session.exec(same.where(IssuedInvoice.dossier_id != dossier_id)).first()


def fits(name: str) -> bool:
    """Tell whether Chorus Pro takes a supporting piece of this name."""
    return len(name) <= LONGEST_NAME and _TAKEN.fullmatch(name) is not None and name.isprintable() and "/" not in name


def _of_attachment(one: Attachment) -> Iterator[Problem]:
    if one.piece is not None and not fits(one.name):
        yield told("V05", found=one.name, path=one.name, most=LONGEST_NAME)


def told(
    rule: str, variant: str = "", *, found: str = "", expected: str | None = None, path: str | None = None, **places: object
) -> Problem:
    """Return the problem of a rule, in the words of one of its messages."""
    key = f"issued.{rule}.{variant}" if variant else f"issued.{rule}"
    filled = {"found": found, "expected": expected or "", **places}
    return Problem(
        rule,
        Severity.ERROR,
        _messages(f"{key}.message", **filled),
        path=path,
        found=found or None,
        expected=expected,
        mend=_messages(f"{key}.mend", **filled),
    )
