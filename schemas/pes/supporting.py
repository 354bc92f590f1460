"""The numbered rules on supporting documents that a flow alone can break (domain rules P01 to P09, those that are here).

Hélios refuses a document for them, not the flow: each is a warning, of the scope of a PJ; those that are a remark only (P04,
P09) are of that of the flow, and a document that cannot be inflated without danger (P08) refuses the flow. Of each rule the
first findings are told. A document is known by its first octets (`schemas.pes.attachments`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

from lxml import etree

from core.messages import Catalogue
from core.problems import Problem, Severity, problem_in_words
from schemas.pes.attachments import agree, recognised
from schemas.pes.reader import Attachment, PesDocument, value

_TOLD = 50
_ELECTRONIC, _ELSEWHERE = "01", ("02", "03")
_ALONE = ("012", "013")
_DOMAINS = {
    **dict.fromkeys(("001", "012", "013"), ("04",)),
    **dict.fromkeys(("003", "004", "005"), ("01",)),
    **dict.fromkeys(("002", "007", "008", "010", "011"), ("02",)),
    "006": ("01", "02"),
    "009": ("06",),
}
"""Domains of the accounts that a kind of document belongs to."""
_messages = Catalogue("schemas.pes")
_problem = partial(problem_in_words, _messages, severity=Severity.WARNING)
_OF_THE_FLOW = frozenset({"P04", "P08", "P09"})
Rule = Callable[[PesDocument], Iterator[Problem]]


def check_supporting(document: PesDocument) -> list[Problem]:
    """Return what Hélios will refuse documents for, or remark on."""
    return [problem for rule in _RULES for problem in islice(rule(document), _TOLD)]


def _p01_content(document: PesDocument) -> Iterator[Problem]:
    """The base64 of a gzip, which is not empty; P08: of a reasonable size; P09: of the media type that is declared."""
    for attachment in document.attachments:
        if attachment.packing in ("empty", "bare", "broken"):
            yield _of(attachment, "P01", attachment.packing)
        elif attachment.packing == "bomb":
            yield replace(_of(attachment, "P08"), severity=Severity.ERROR)
        elif attachment.packing and not agree(attachment.mime_type, found := recognised(attachment.head or "").media_type):
            yield _of(attachment, "P09", found=attachment.mime_type, expected=found)


def _p02_twice(document: PesDocument) -> Iterator[Problem]:
    """Each document has an identifier of its own."""
    seen: set[str] = set()
    for attachment in document.attachments:
        if attachment.id_unique in seen:
            yield _of(attachment, "P02", found=attachment.id_unique)
        seen.add(attachment.id_unique or "")


def _p04_references(document: PesDocument) -> Iterator[Problem]:
    """A reference to an electronic document finds it here, or in another flow; one to paper has none."""
    held = document.kinds_of_attachments
    for reference in document.root.iter("PJRef"):
        support, identifier = value(reference, "Support"), value(reference, "IdUnique")
        if support == _ELECTRONIC and identifier and identifier not in held:
            yield _at(reference, "P04", found=identifier)
        elif support in _ELSEWHERE and identifier in held:
            yield _at(reference, "P04", "elsewhere", found=identifier)


def _p05_domain(document: PesDocument) -> Iterator[Problem]:
    """A kind of document fits the domain that it is attached to; P06: by its year and its number."""
    for attachment in document.attachments:
        references = list(attachment.element.iterchildren("RefCompta"))
        if attachment.kind in _ALONE and not references:
            yield _of(attachment, "P06", "missing", found=attachment.kind)
        for reference in references:
            domain, wanted = value(reference, "Domaine"), _DOMAINS.get(attachment.kind or "")
            if domain is not None and wanted is not None and domain not in wanted:
                yield _at(reference, "P05", found=f"{attachment.kind} / {domain}", expected=", ".join(wanted))
            if missing := [name for name in ("Exercice", "Identifiant") if value(reference, name) is None]:
                yield _at(reference, "P06", found=", ".join(missing))


_RULES: tuple[Rule, ...] = (_p01_content, _p02_twice, _p04_references, _p05_domain)


def _of(attachment: Attachment, rule: str, variant: str = "", found: str | None = None, expected: str | None = None) -> Problem:
    return _at(attachment.element, rule, variant, found=found, expected=expected)


def _at(element: etree._Element, rule: str, variant: str = "", found: str | None = None, expected: str | None = None) -> Problem:
    path = str(element.getroottree().getpath(element))
    scope = "flow" if rule in _OF_THE_FLOW else "pj"
    return _problem(rule, variant, line=element.sourceline, path=path, found=found, expected=expected, scope=scope)
