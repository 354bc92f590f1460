"""What a collectivité published last, as a feed (Atom, RFC 4287): identifiers never change, whatever the address of the site."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter
from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from api.publications.answering import tag_of, validated
from api.publications.files import called
from api.publications.finding import METHODS, ORGANISATION, Open, address, root_of
from api.web.visitor import Parts
from api.words import day
from core import clock
from core.messages import Catalogue
from flows.actes import published
from flows.actes.models import ActesPublication
from flows.actes.published import PublicOrganisation

router = APIRouter()
PATH = ORGANISATION + "/flux.atom"
_t = Catalogue("api.publications")
_ATOM = "http://www.w3.org/2005/Atom"
_TYPE = "application/atom+xml"
_NEVER = "1970-01-01T00:00:00Z"  # a feed must say when it changed last, one that has never held anything too


@router.api_route(PATH, methods=METHODS)
def feed(request: Request, platform: Parts, organisation: Open) -> Response:
    """Give the fifty newest publications."""
    root, newest = root_of(request, platform), published.latest(platform, organisation)
    octets = written(organisation, newest, root)
    return validated(request, tag_of(octets), lambda: Response(octets, media_type=_TYPE))


def written(organisation: PublicOrganisation, newest: Sequence[tuple[ActesPublication, datetime | None]], root: str) -> bytes:
    """Return the feed of an organisation.

    Args:
        organisation: whose.
        newest: its publications, newest first, and since when their transmission is cancelled.
        root: address of the site, without a slash at its end.
    """
    page = root + address(organisation.siren)
    top = etree.Element(f"{{{_ATOM}}}feed", nsmap={None: _ATOM})
    _put(top, "id", f"urn:tabellion:publications:{organisation.siren}")
    _put(top, "title", _t("feed.title", name=organisation.name))
    if organisation.about:
        _put(top, "subtitle", organisation.about)
    changes = [cancelled or publication.published for publication, cancelled in newest]
    _put(top, "updated", clock.iso(max(changes)) if changes else _NEVER)
    _put(_put(top, "author"), "name", organisation.name)
    _put(top, "link", rel="self", type=_TYPE, href=f"{page}/flux.atom")
    _put(top, "link", rel="alternate", type="text/html", href=page)
    for publication, cancelled in newest:
        _entry(top, publication, cancelled, root + address(organisation.siren, publication.id))
    octets: bytes = etree.tostring(top, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return octets


def _entry(top: etree._Element, publication: ActesPublication, cancelled: datetime | None, page: str) -> None:
    nature = _t(f"nature.{publication.nature}")
    entry = _put(top, "entry")
    _put(entry, "id", f"urn:tabellion:publication:{publication.id}")
    _put(entry, "title", _t("feed.cancelled", subject=publication.subject) if cancelled else publication.subject)
    _put(entry, "published", clock.iso(publication.published))
    _put(entry, "updated", clock.iso(cancelled or publication.published))
    author = f"{publication.author_first_name} {publication.author_last_name}, {publication.author_capacity}"
    _put(_put(entry, "author"), "name", author)
    _put(entry, "category", term=str(publication.nature), label=nature)
    _put(entry, "summary", _t("act.which", nature=nature, number=publication.number, day=day(publication.decision_date)))
    _put(entry, "link", rel="alternate", type="text/html", href=page)
    for rank, file in enumerate(publication.files, start=1):
        told = {"type": file["type"], "length": str(file["size"]), "title": called(publication, file)}
        _put(entry, "link", rel="enclosure", href=f"{page}/documents/{rank}", **told)


def _put(above: etree._Element, name: str, words: str | None = None, **attributes: str) -> etree._Element:
    element = etree.SubElement(above, f"{{{_ATOM}}}{name}", attributes)
    element.text = words
    return element
