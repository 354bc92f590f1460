"""“Service d’archives externe”: which one, who we are there, which records go there and when; tried by a button."""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter
from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.visitor import Administers, Parts, Visitor
from connectors.sae.settings import ServiceSettings
from connectors.vitam.settings import Context
from core.addresses import AddressRefused
from core.errors import Misconfigured, NeedsOperator, TabellionError, UsageError
from core.platform import Platform
from core.principal import Right
from flows.sae import deciding
from flows.sae.knowledge import account_for
from flows.sae.outside import open_outside
from flows.sae.settings import KINDS, OutsideArchive, Seda, System, When

router = APIRouter()
PATH, _PAGE = "/administration/sae", "web/archive/sae/account.html"
_TEXTS = ("archival_agency", "transferring_agency", "agreement", "address", "login", "tenant", "access_contract", "application")
_NUMBERS = ("acknowledgement_minutes", "reply_days")
_NEVER = "never"


@router.get(PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the service; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Keep the service, or forget it: as the button says. A secret that is left empty stays as it was."""
    visitor.check(sheet.text("csrf"))
    if "oubli" in sheet:
        deciding.keep(platform, visitor.principal, place.id, None)
        return gone(place, PATH, "oubli")
    try:
        wanted = OutsideArchive.model_validate(_given(sheet, _kept(platform, place)[1]))
        deciding.keep(platform, visitor.principal, place.id, wanted)
    except (ValidationError, UsageError, AddressRefused) as error:
        said = reason(error, words.of_page(_PAGE)) if isinstance(error, ValidationError) else str(error)
        return _shown(request, platform, visitor, place, status=400, trouble=said, sheet=sheet)
    return gone(place, PATH, "service")


@router.post(f"{PATH}/essai")
def attempt(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Try the service: does it answer, and does it admit us?"""
    visitor.check(sheet.text("csrf"))
    visitor.principal.require(Right.ADMINISTER, place.id)
    try:
        settings = account_for(platform, place.id)[1]
        told = open_outside(settings, platform.settings.permitted_networks).attempt()
    except TabellionError as error:
        return _shown(request, platform, visitor, place, status=409, trouble=str(error))
    return _shown(request, platform, visitor, place, answered=True, told_by_service=told)


def _given(sheet: Sheet, kept: OutsideArchive | None) -> dict[str, Any]:
    system = sheet.text("system")
    told: dict[str, Any] = {
        "seda": sheet.text("seda"),
        "archival_agency": sheet.text("archival_agency"),
        "transferring_agency": sheet.text("transferring_agency"),
        "agreement": sheet.text("agreement") or None,
        "kinds": {kind: when for kind in KINDS if (when := sheet.text(f"kind-{kind}")) and when != _NEVER},
        "acknowledgement_minutes": sheet.number("acknowledgement_minutes", otherwise=60),
        "reply_days": sheet.number("reply_days", otherwise=30),
    }
    service: dict[str, Any] = {"address": sheet.text("address"), "authorities": _pem(sheet, kept)}
    password = sheet.text("password")
    if system == System.VITAM:
        same = kept.vitam if kept else None
        certificate = sheet.file("certificate")
        shown_there = base64.b64encode(certificate).decode() if certificate else (same.client_certificate if same else "")
        service |= {
            "client_certificate": shown_there,
            "passphrase": SecretStr(password) if certificate else (same.passphrase if same else None),
            "tenant": sheet.number("tenant", otherwise=0),
            "access_contract": sheet.text("access_contract"),
            "application": sheet.text("application") or None,
            "context": Context.DRY_RUN if "dry_run" in sheet else Context.DEFAULT,
        }
        return told | {"vitam": service}
    same_account = kept.asalae if kept else None
    login = sheet.text("login")
    unchanged = same_account is not None and (same_account.login, same_account.address) == (login, service["address"])
    service |= {"login": login, "password": password or (same_account.password if same_account and unchanged else "")}
    return told | {"asalae": service}


def _pem(sheet: Sheet, kept: OutsideArchive | None) -> str | None:
    """Return the authorities of the service: a file that is given, else those that are kept, unless they are to be forgotten."""
    given = sheet.file("authorities")
    if given:
        try:
            return given.decode("ascii")
        except UnicodeDecodeError as error:
            raise UsageError(words.of_page(_PAGE)("wrong.authorities")) from error
    service = _service(kept)
    return None if service is None or "no_authorities" in sheet else service.authorities


def _service(kept: OutsideArchive | None) -> ServiceSettings | None:
    return None if kept is None else kept.asalae or kept.vitam


def _kept(platform: Platform, place: Place) -> tuple[str, OutsideArchive | None]:
    """Return whose settings count at a place, and the settings where they are its own: those above are shown to nobody below."""
    try:
        account, settings = account_for(platform, place.id)
    except (NeedsOperator, Misconfigured):
        return "", None
    return account, settings if account == place.id else None


def _shown(
    request: Request, platform: Platform, visitor: Visitor, place: Place, *, sheet: Sheet | None = None, **said: Any
) -> HTMLResponse:
    account, kept = _kept(platform, place)
    page_words = words.of_page(_PAGE)
    values: dict[str, Any] = {
        "kept": kept,
        "inherited": bool(account) and kept is None,
        "told": _typed(sheet) if sheet is not None else _told(kept),
        "systems": [(one.value, page_words(f"system.{one.value}")) for one in System],
        "versions": [(one.value, f"SEDA {one.value}") for one in Seda],
        "kinds": [(kind, page_words(f"kind.{kind}")) for kind in KINDS],
        "whens": [(one, page_words(f"when.{one}")) for one in (_NEVER, *(one.value for one in When))],
        "authorities": (service := _service(kept)) is not None and service.authorities is not None,
        "answered": False,
        "told_by_service": "",
    }
    return shown(request, _PAGE, visitor, place, **values | said)


def _typed(sheet: Sheet) -> dict[str, Any]:
    names = ("system", "seda", *_TEXTS, *_NUMBERS)
    kinds = {kind: sheet.text(f"kind-{kind}") for kind in KINDS}
    return {name: sheet.text(name) for name in names} | {"kinds": kinds, "dry_run": "dry_run" in sheet}


def _told(kept: OutsideArchive | None) -> dict[str, Any]:
    told: dict[str, Any] = dict.fromkeys(_TEXTS, "") | {"system": System.ASALAE.value, "seda": Seda.V2_1.value, "dry_run": False}
    told |= {"acknowledgement_minutes": 60, "reply_days": 30, "kinds": {}}
    if kept is None:
        return told
    service = kept.asalae or kept.vitam
    own = service.model_dump(include=set(_TEXTS)) if service else {}
    told |= {name: "" if value is None else value for name, value in own.items()}
    told |= {name: getattr(kept, name) or "" for name in ("archival_agency", "transferring_agency", "agreement", *_NUMBERS)}
    told |= {"system": kept.system.value, "seda": kept.seda.value}
    told |= {"kinds": {kind: when.value for kind, when in kept.kinds.items()}}
    return told | {"dry_run": kept.vitam is not None and kept.vitam.context is Context.DRY_RUN}
