"""The visa of the State: the list line by line, what is refused of it, and the visa given here, or one that was signed on paper.

The whole list is accepted but for the lines that are ticked; another button refuses it whole. A long list has several pages: what
is ticked on one goes along in the form, so that nothing is decided, nor kept, before the button that decides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.problems import fault_of
from api.web.administered import Filled, Identifier
from api.web.archive.eliminations.page import ONE, page, part_of
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from archive.elimination import deciding, lists
from archive.elimination.analysis import MOST_DESTROYED
from archive.elimination.bordereau import kind_in_words, title_of
from archive.elimination.deciding import LARGEST_VISA, LONGEST_REFERENCE, Visa
from archive.elimination.states import State
from core.errors import TabellionError, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Right

router = APIRouter()
VISA, SIGNED_VISA = f"{ONE}/visa", f"{ONE}/visa-signe"
_TEMPLATE = "web/archive/eliminations/visa.html"
_LINES, _MOST_FIELDS = 100, MOST_DESTROYED + 100  # each line that is refused is one, beside those of the form
_RECORD = 26
LARGEST = _MOST_FIELDS * (_RECORD + 20)
"""Bytes of the form: each line that is refused is a name, an identifier and their signs."""
_REFUSAL = "refus"
"""The button that refuses the whole list."""


@dataclass(frozen=True, slots=True)
class _Form:
    """The form as it was filled in so far.

    Attributes:
        signed: it is for a visa that was signed on paper.
        after: the record that ends the page before the one to be shown.
        whole: the whole list is refused, whatever is ticked.
    """

    signed: bool
    reference: str = ""
    refused: Collection[str] = ()
    after: str = ""
    whole: bool = False

    @property
    def right(self) -> Right:
        """What it takes to hand it in."""
        return Right.ARCHIVE if self.signed else Right.CONTROL


@router.get(VISA)
def ask(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier) -> Response:
    """Show the list to whoever may give the visa here."""
    return _page(request, platform, visitor, elimination_id, _Form(signed=False))


@router.post(VISA)
def given(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier, sheet: Filled) -> Response:
    """Give the visa, or go on to another page of the list: as the button says."""
    visitor.check(sheet.text("csrf"))
    ticked = _records(sheet.texts("refused"))
    form = _Form(False, sheet.text("reference"), ticked, sheet.text("apres"), _REFUSAL in sheet)
    if "apres" in sheet:
        return _page(request, platform, visitor, elimination_id, form)
    return _decided(request, platform, visitor, elimination_id, form)


@router.get(SIGNED_VISA)
def ask_signed(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier) -> Response:
    """Show the list to whoever may record a visa that was signed on paper."""
    return _page(request, platform, visitor, elimination_id, _Form(signed=True))


@router.post(SIGNED_VISA)
async def recorded(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier) -> Response:
    """Record a visa that was signed on paper, or go on to another page of the list: as the button says."""
    sent = await request.form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=1 << 20)
    texts = {name: value for name, value in sent.items() if isinstance(value, str)}
    visitor.check(texts.get("csrf"))
    refused = _records([value for value in sent.getlist("refused") if isinstance(value, str)])
    form = _Form(True, texts.get("reference", "").strip(), refused, texts.get("apres", ""), _REFUSAL in texts)
    if "apres" in texts:
        return await to_thread.run_sync(_page, request, platform, visitor, elimination_id, form)
    document = sent.get("document")
    octets = await document.read(LARGEST_VISA + 1) if isinstance(document, UploadFile) else b""
    return await to_thread.run_sync(_decided, request, platform, visitor, elimination_id, form, octets)


def _records(values: Sequence[str]) -> frozenset[str]:
    return frozenset(value for value in values if 0 < len(value) <= _RECORD)


def _decided(
    request: Request, platform: Platform, visitor: Visitor, elimination_id: str, form: _Form, document: bytes | None = None
) -> Response:
    part_of(platform, visitor, elimination_id)
    decide = deciding.record_visa if form.signed else deciding.give_visa
    visa = Visa(form.reference, frozenset(form.refused), document, form.whole)
    try:
        decide(platform, visitor.principal, elimination_id, visa)
    except UsageError as error:
        return _page(request, platform, visitor, elimination_id, form, fault_of(error).detail, status=400)
    except TabellionError as error:
        fault = fault_of(error)
        return page(request, platform, visitor, elimination_id, trouble=fault.detail, status=fault.status)
    done = "refus" if form.whole else "visa"
    return RedirectResponse(f"{ONE.format(elimination_id=elimination_id)}?fait={done}", status_code=303)


def _page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    elimination_id: str,
    form: _Form,
    trouble: str = "",
    *,
    status: int = 200,
) -> Response:
    elimination = part_of(platform, visitor, elimination_id)
    visitor.principal.require(form.right, elimination.organisation_id)
    if elimination.state != State.AGREED:  # somebody was quicker, and the page of the elimination says what was done
        return RedirectResponse(ONE.format(elimination_id=elimination_id), status_code=303)
    with platform.database.reading(PLATFORM) as session:
        found, more = lists.lines(session, elimination_id, shown="chosen", after=form.after, limit=_LINES)
        values: dict[str, Any] = {
            "organisation": session.get_one(Organisation, elimination.organisation_id),
            "count": lists.counts(session, elimination_id)["chosen"],
            "lines": [(one.record, title_of(one.record), kind_in_words(one.record.kind)) for one in found],
        }
    elsewhere = sorted(set(form.refused) - {one.record.id for one in found})
    values |= {"csrf": visitor.csrf, "elimination": elimination, "form": form, "elsewhere": elsewhere, "more": more}
    values |= {"trouble": trouble, "most_visa": LARGEST_VISA >> 20, "longest_reference": LONGEST_REFERENCE}
    values["reads"] = visitor.principal.may(Right.READ, elimination.organisation_id)
    return render(request, _TEMPLATE, visitor=visitor, status=status, **values)
