"""A rule: its versions, where it is used, its next version; and a new rule."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ValidationError
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.administered import Filled, Place
from api.web.archive.managing import Managed
from api.web.archive.rules.page import PATH, owners, typed
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from archive.elimination.bordereau import kind_in_words
from archive.models import Record
from archive.retention import changing, exchange, referential
from archive.retention.changing import Wanted
from archive.retention.models import RuleChoice
from archive.retention.referential import Known
from archive.retention.rules import AccessDelay, Category, Delay, Ends, RetentionRule
from core import clock
from core.errors import NotFound, TabellionError, UsageError
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.model import FinalAction

router = APIRouter()
_t = Catalogue("api.web.archive.rules")
_NEW, _ONE = f"{PATH}/nouvelle", f"{PATH}/regle"
_FIELDS = ("category", "code", "label", "years", "ends", "final_action", "source", "since")
_COUNTED = 10_000
Named = Annotated[str, Query(max_length=40)]


@router.get(_NEW)
def ask(request: Request, visitor: SignedIn, place: Managed) -> HTMLResponse:
    """Ask what a new rule says."""
    empty = {"category": "appraisal", "ends": "anniversary", "final_action": "Keep", "since": _today().isoformat()}
    return _form(request, visitor, place, {**dict.fromkeys(_FIELDS, ""), **empty})


@router.post(_NEW)
def add(request: Request, platform: Parts, visitor: SignedIn, place: Managed, sheet: Filled) -> Response:
    """Add a rule, or the next version of one that is known."""
    visitor.check(sheet.text("csrf"))
    given = typed(sheet, *_FIELDS)
    try:
        wanted = _wanted(given)
        changing.follow(platform, visitor.principal, place.id, wanted)
    except TabellionError as error:
        fault = fault_of(error)
        return _form(request, visitor, place, given, trouble=fault.detail, status=fault.status)
    where = place.at(_ONE, categorie=wanted.category.value, code=wanted.delay.identifier, fait="version")
    return RedirectResponse(where, status_code=303)


@router.get(_ONE)
def one(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    place: Managed,
    categorie: Named = "",
    code: Named = "",
    fait: Named = "",
) -> HTMLResponse:
    """Show a rule with its versions; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, place, _category(categorie), code, done=fait if fait == "version" else "")


@router.post(f"{_ONE}/retrait")
def withdrawn(request: Request, platform: Parts, visitor: SignedIn, place: Managed, sheet: Filled) -> Response:
    """End the organisation's own version of a rule."""
    visitor.check(sheet.text("csrf"))
    category, code = _category(sheet.text("category")), sheet.text("code")
    try:
        changing.withdraw(platform, visitor.principal, place.id, category, code)
    except TabellionError as error:
        fault = fault_of(error)
        return _page(request, platform, visitor, place, category, code, trouble=fault.detail, status=fault.status)
    return RedirectResponse(place.at(PATH, fait="retire"), status_code=303)


def _category(text: str) -> Category:
    if text not in list(Category):
        raise NotFound(_t("rule.none"))
    return Category(text)


def _wanted(given: dict[str, str]) -> Wanted:
    category = _category(given["category"])
    values: dict[str, Any] = {
        "identifier": given["code"],
        "label": given["label"],
        "years": given["years"],
        "ends": Ends(given["ends"]) if given["ends"] in list(Ends) else Ends.ANNIVERSARY,
        "source": given["source"],
    }
    if category is Category.APPRAISAL:
        values["final_action"] = FinalAction.DESTROY if given["final_action"] == FinalAction.DESTROY else FinalAction.KEEP
    kinds: dict[Category, type[Delay]] = {Category.APPRAISAL: RetentionRule, Category.ACCESS: AccessDelay}
    try:
        delay = kinds.get(category, Delay).model_validate(values)
        since = date.fromisoformat(given["since"])
    except ValidationError as error:
        raise UsageError(exchange.wrong_value(error)) from error
    except ValueError as error:
        raise UsageError(_t("wrong.since")) from error
    return Wanted(category, delay, since)


def _today() -> date:
    return clock.in_paris(clock.now()).date()


def _form(
    request: Request, visitor: Visitor, place: Place, given: dict[str, str], *, trouble: str = "", status: int = 200
) -> HTMLResponse:
    values: dict[str, Any] = {"csrf": visitor.csrf, "place": place, "given": given, "trouble": trouble}
    values |= {"categories": list(Category), "ends": list(Ends), "actions": list(FinalAction)}
    return render(request, "web/archive/rules/new.html", visitor=visitor, status=status, **values)


def _page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    place: Place,
    category: Category,
    code: str,
    *,
    status: int = 200,
    **said: Any,
) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        everything = referential.all_versions(session, place.id)
        versions = [known for known in everything if known.category is category and known.delay.identifier == code]
        if not versions:
            raise NotFound(_t("rule.none"))
        values: dict[str, Any] = {
            "owners": owners(session, [known.owner for known in versions]),
            "used": _used(session, place, category, code),
            "sealed": _sealed(session, place, versions) if category in {Category.APPRAISAL, Category.ACCESS} else {},
        }
    standing = next((known for known in versions if known.holds_on(_today())), None)
    given = _given(category, standing or versions[0])
    own = standing is not None and standing.owner == place.id and standing.until is None
    values |= {"csrf": visitor.csrf, "place": place, "category": category, "code": code, "versions": versions}
    values |= {"standing": standing, "own": own, "given": given, "counted": _COUNTED, "trouble": "", "done": ""}
    values |= {"ends": list(Ends), "actions": list(FinalAction)}
    return render(request, "web/archive/rules/rule.html", visitor=visitor, status=status, **values | said)


def _given(category: Category, known: Known) -> dict[str, str]:
    delay = known.delay
    return {
        "category": category.value,
        "code": delay.identifier,
        "label": delay.label,
        "years": str(delay.years),
        "ends": delay.ends.value,
        "final_action": delay.final_action.value if isinstance(delay, RetentionRule) else "",
        "source": delay.source,
        "since": _today().isoformat(),
    }


def _used(session: Session, place: Place, category: Category, code: str) -> list[tuple[str, str]]:
    """Return where a rule is chosen, there and below: the organisation, and the kind of record."""
    below = subtree(session, place.organisation.path)
    query = select(RuleChoice, Organisation.name).join(Organisation, col(Organisation.id) == col(RuleChoice.organisation_id))
    query = query.where(
        RuleChoice.code == code, RuleChoice.category == category.value, col(RuleChoice.organisation_id).in_(below)
    )
    return [(name, kind_in_words(choice.kind)) for choice, name in session.exec(query.order_by(Organisation.path))]


def _sealed(session: Session, place: Place, versions: list[Known]) -> dict[str, int]:
    """Return how many records each version was applied to, as far as they are counted."""
    below = subtree(session, place.organisation.path)
    counts = {}
    for known in versions:
        access = known.category is Category.ACCESS
        named = f"{known.delay.identifier} v{known.delay.version}"
        column = Record.access if access else Record.rule
        some = select(Record.id).where(column == named, col(Record.organisation_id).in_(below)).limit(_COUNTED).subquery()
        counts[known.delay.version] = session.exec(select(func.count()).select_from(some)).one()
    return counts
