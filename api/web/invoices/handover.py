"""“Logiciel financier”: by which way it is given invoices, where they are put, and how it answers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.invoices.account import PATH as ACCOUNT_PATH
from api.web.visitor import Administers, Parts, Visitor
from core.addresses import AddressRefused
from core.configuration import Configuration
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.invoices import configuring
from flows.invoices.handing import handover_of
from flows.invoices.settings import HANDOVER, Channel, Form, InvoiceHandover

router = APIRouter()
_PATH, _PAGE = f"{ACCOUNT_PATH}/logiciel", "web/invoices/handover.html"
_FIELDS = {
    Channel.SFTP: ("host", "port", "username", "directory", "answers", "host_key_algorithm", "host_key"),
    Channel.FOLDER: ("directory", "answers"),
    Channel.WEBHOOK: ("address", "authorities"),
}
_WHERE = {Channel.SFTP: ("host", "port", "username"), Channel.FOLDER: (), Channel.WEBHOOK: ("address",)}
_SECRETS = {Channel.SFTP: ("password", "private_key", "passphrase"), Channel.WEBHOOK: ("secret",)}


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the way; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Keep the way; secrets that are left empty stay as they were, if they are the organisation's and go where they went."""
    visitor.check(sheet.text("csrf"))
    try:
        wanted = InvoiceHandover.model_validate(_given(sheet, _own(platform, place) or InvoiceHandover()))
        configuring.keep(platform, visitor.principal, place.id, HANDOVER, wanted)
    except ValidationError as error:
        return _shown(request, platform, visitor, place, status=400, trouble=_reason(error), sheet=sheet)
    except (UsageError, AddressRefused) as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), sheet=sheet)
    return gone(place, _PATH, "logiciel")


def _given(sheet: Sheet, kept: InvoiceHandover) -> dict[str, Any]:
    """Return the values of the form for its channel; another channel's are forgotten."""
    channel = next((one for one in Channel if one.value == sheet.text("channel")), Channel.PULL)
    forms = tuple(one for one in Form if one.value in sheet.texts("forms"))
    given: dict[str, Any] = {"channel": channel, "forms": forms or kept.forms}
    if channel is Channel.PULL:
        return given
    told: dict[str, Any] = {name: sheet.text(f"{channel.value}.{name}") for name in _FIELDS[channel]}
    before = getattr(kept, channel.value)
    return given | {channel.value: {name: value for name, value in told.items() if value} | _secrets(sheet, channel, before)}


def _secrets(sheet: Sheet, channel: Channel, before: BaseModel | None) -> dict[str, Any]:
    """Return the secrets that were written; all of those that were kept when none was, since one takes the place of another."""
    written = {name: sheet.text(f"{channel.value}.{name}") for name in _SECRETS.get(channel, ())}
    if any(written.values()) or before is None or _goes_elsewhere(sheet, channel, before):
        return {name: SecretStr(value) for name, value in written.items() if value}
    return {name: value for name in written if (value := getattr(before, name)) is not None}


def _goes_elsewhere(sheet: Sheet, channel: Channel, before: BaseModel) -> bool:
    """Tell whether a kept secret would be shown to somebody else than the one it was given for."""
    return any(sheet.text(f"{channel.value}.{name}") != str(getattr(before, name)) for name in _WHERE[channel])


def _own(platform: Platform, place: Place) -> InvoiceHandover | None:
    """Return what the organisation itself configured: the secrets of one above are not its own to send anywhere."""
    with platform.database.reading(PLATFORM) as session:
        if session.get(Configuration, (place.id, HANDOVER)) is None:
            return None
    return handover_of(platform, place.id)


def _reason(error: ValidationError) -> str:
    """Return why: the rule's own sentence, else what the page says of the value that is wrong."""
    sentences, first = words.of_page(_PAGE), error.errors()[0]
    key = f"wrong.{'.'.join(str(part) for part in first['loc'][:2])}"
    ours = isinstance(first.get("ctx", {}).get("error"), ValueError)
    return sentences(key) if not ours and key in sentences else reason(error, sentences)


def _shown(
    request: Request, platform: Platform, visitor: Visitor, place: Place, *, sheet: Sheet | None = None, **said: Any
) -> HTMLResponse:
    own = _own(platform, place)
    kept = own or handover_of(platform, place.id)
    page_words = words.of_page(_PAGE)
    values: dict[str, Any] = {
        "kept": kept,
        "own": own is not None,
        "channels": [(one.value, page_words(f"channel.{one.value}"), page_words(f"channel.{one.value}.hint")) for one in Channel],
        "channel": sheet.text("channel") if sheet else kept.channel.value,
        "forms": [(one.value, page_words(f"form.{one.value}")) for one in Form],
        "ticked": list(sheet.texts("forms")) if sheet else [one.value for one in kept.forms],
        "told": _told(kept, sheet),
        "has_secret": {one.value: getattr(own, one.value, None) is not None for one in _FIELDS},
        "watched": platform.settings.handover_dir is not None,
        **said,
    }
    return shown(request, _PAGE, visitor, place, **values)


def _told(kept: InvoiceHandover, sheet: Sheet | None) -> dict[str, dict[str, str]]:
    """Return the fields of each channel as they were filled in, else as they are kept; secrets are never shown."""
    defaults = {"port": "22", "host_key_algorithm": "ssh-ed25519"}

    def value(channel: Channel, name: str) -> str:
        if sheet is not None:
            return sheet.text(f"{channel.value}.{name}")
        found = getattr(kept, channel.value)
        return str(getattr(found, name) or "") if found is not None else defaults.get(name, "")

    return {channel.value: {name: value(channel, name) for name in names} for channel, names in _FIELDS.items()}
