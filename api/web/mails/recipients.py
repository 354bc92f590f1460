"""Filling in the form of a send: a template is taken up, a group or contacts of the book join the recipients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api.web.mails import typed
from api.web.mails.sheet import KINDS, MailSheet
from api.web.mails.typed import PLACES, Typed
from core.messages import Catalogue, form_of
from flows.mail.book import contacts, groups, templates, written
from flows.mail.book.models import Contact
from schemas.mail import addresses

_t = Catalogue("api.web.mails")
_FOUND = 30


@dataclass(frozen=True, slots=True)
class Helped:
    """What a button did.

    Attributes:
        anchor: where the page goes on; empty when nothing was done.
        words: what was done.
        found: contacts that the book holds for what was sought; ``more`` when there are others.
    """

    anchor: str = ""
    words: str = ""
    found: tuple[Contact, ...] = ()
    more: bool = False


def help_with(opened: MailSheet, said: Typed) -> Helped:
    """Do what a button of the form asks for.

    Raises:
        NotFound: what it names is not here, or not any more.
    """
    deeds = {"template": _begin, "group": _group, "seek": _seek, "add": _add}
    deed = deeds.get(opened.deed)
    return Helped() if deed is None or opened.moved else deed(opened, said)


def _begin(opened: MailSheet, said: Typed) -> Helped:
    wanted = opened.values.get("template", "")
    reached = templates.reached(opened.platform, opened.visitor.principal, opened.organisation.id)
    found = next((one for one in reached if one.id == wanted), None)
    if found is None:
        return Helped("template", _t("help.template.none"))
    said.texts["subject"], said.texts["body"] = found.subject, found.body
    said.kind = found.kind if found.kind in KINDS else said.kind
    return Helped("subject", _t("help.template", name=found.name))


def _group(opened: MailSheet, said: Typed) -> Helped:
    wanted = opened.values.get("group", "")
    if not wanted:
        return Helped("group", _t("help.group.none"))
    group, members = groups.one(opened.platform, opened.visitor.principal, opened.organisation.id, wanted)
    return _joined(opened, said, "group", members, group.group.name)


def _seek(opened: MailSheet, said: Typed) -> Helped:
    text = opened.values.get("seek", "")
    del said
    page = contacts.search(opened.platform, opened.visitor.principal, opened.organisation.id, text, limit=_FOUND)
    count = len(page.contacts)
    words = _t.counted("help.found", count, count=count) if count else _t("help.found.none")
    return Helped("found", words, page.contacts, page.after is not None)


def _add(opened: MailSheet, said: Typed) -> Helped:
    wanted = {one for one in opened.filled.getlist("contact") if isinstance(one, str)}
    text = opened.values.get("seek", "")
    page = contacts.search(opened.platform, opened.visitor.principal, opened.organisation.id, text, limit=_FOUND)
    return _joined(opened, said, "seek", [one for one in page.contacts if one.id in wanted], "")


def _joined(opened: MailSheet, said: Typed, anchor: str, members: Iterable[Contact], group: str) -> Helped:
    """Add contacts to the recipients of a place, but for those who are among them already."""
    place = opened.values.get(f"{anchor}_place", "")
    place = place if place in PLACES else "to"
    there = {one.normal for one in said.rows}
    fresh = [one for one in members if one.normal not in there]
    lines = [said.lines[place].rstrip(), *(written.line_of(_named(one), one.address) for one in fresh)]
    said.lines[place] = "\n".join(line for line in lines if line)
    for one in fresh:
        said.rows.append(typed.Row(place, one.address, _named(one), addresses.normal(one.address), one))
    key = form_of("help.joined", len(fresh)) if fresh else "help.joined.none"
    words = _t(key, count=len(fresh), place=_t(f"place.{place}"))
    return Helped(place, f"{group}\u00a0: {words}" if group else words)


def _named(contact: Contact) -> str:
    return "" if contact.name == contact.address else contact.name
