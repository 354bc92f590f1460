"""What the rules find, as problems: named as their authors name them, placed in the document, said in words when we have some."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from lxml import etree

from core.problems import Problem, Severity
from schemas.invoices.figures import compared
from schemas.invoices.invoice import Invoice
from schemas.invoices.phrases import Phrase, general
from schemas.invoices.source import PLACEHOLDER, path_of
from schemas.invoices.wording import CLOSED_MODEL, messages, problem, words
from schemas.schematron.checking import Finding, Findings

RULES = "RULES"
_STEP = re.compile(
    r"/(?:\*:)?(?P<attribute>@)?(?P<name>[\w.:-]+)(?:\[namespace-uri\(\)='(?P<uri>[^']*)'\])?(?:\[(?P<rank>\d+)\])?"
)
_NAMED = re.compile(r"^\[((?:BR|CII|UBL|PEPPOL)-[A-Z0-9-]+)\]")
_PREFIX = re.compile(r"^\[?(?:BR|CII|UBL|PEPPOL)-[^\]:]*?(?:\]\s*-?\s*:?|\s:)\s*")
_FACTUR_X = "FX-SCH"
_OF_EN16931 = re.compile(r"(BR-(?!FR|FX)|CII-|UBL-)")
_LIST = re.compile(r"BR-(?:(?:FR)?EXT-)?CL-(\d+)")
_COMPLETING = re.compile(r"BR-(?!CO-25$)(?:[A-Z]{1,3}-)?\d+|CII-SR-\d+|CII-DT-037|CII-DT-097")  # EN 16931 gave BR-CO-25 up
_FRENCH = "BR-FR-"
_FAMILIES = {"BR-FR-CDV": "BR-FR-CDV", _FRENCH: "BR-FR", "BR-FREXT": "extension", "BR-FXEXT": "extension", _FACTUR_X: _FACTUR_X}
_EN16931 = "EN16931"
_TERM = re.compile(r"\b(?:BT|BG|MDT|MDG)-\d+\b")
_QUOTED = re.compile(r'(?:Valeur actuelle|Valeur fournie|Taux fourni)[^"]*"\s*([^"]*?)\s*"')
_MOST_TEXT = 300
_NO_SUMS = "'ram:SpecifiedTradeSettlementHeaderMonetarySummation' must occur"
"""Rules of EN 16931 on the sums look at each in their group; that the group is there is for the profile alone to say."""
_EMPTY = "PEPPOL-EN16931-R008"
_DEMANDED = re.compile(r".*[:/]ApplicableHeaderTradeDelivery(?:\[[^/]*)?")
"""An element that the schema of CII demands, even of an invoice that says nothing of a delivery."""
_EITHER = re.compile(r"BR-F[RX]EXT-[A-Z]+-08(?:ini|rev)")
"""Warnings of the extension that a base of VAT is reckoned without, or with, reasons of exemption: its rule refuses neither."""
_OF_PARTIES = re.compile(r"BR-[A-Z]{1,2}-0[234]")
"""What VAT numbers parties must have, told at each line, allowance or charge of a category: the parties are mended once."""
_BREAKDOWNS = (
    "{*}SupplyChainTradeTransaction/{*}ApplicableHeaderTradeSettlement/{*}ApplicableTradeTax",
    "{*}TaxTotal/{*}TaxSubtotal",
)
_OF_ATTRIBUTE = re.compile(r"Value of '@(\w+)' is not allowed")
_ATTRIBUTES = {
    "BR-CL-03": "currencyID",
    **dict.fromkeys(("BR-CL-07", "BR-CL-10", "BR-CL-11", "BR-CL-21", "BR-CL-25", "BR-CL-26"), "schemeID"),
    "BR-CL-13": "listID",
    "BR-CL-23": "unitCode",
    "BR-CL-24": "mimeCode",
}
"""Attributes whose value a rule refuses, where it points at the element."""


class Told:
    """Turns findings on one document into problems.

    Args:
        tree: the document.
        invoice: what was read of it, for rules that reckon; None when it is no invoice.
    """

    def __init__(self, tree: etree._ElementTree, invoice: Invoice | None = None) -> None:
        self._tree = tree
        self._invoice = invoice

    def problems(self, found: Findings, fatal: Severity) -> list[Problem]:
        """Return findings as problems, those at one place of one rule once.

        Args:
            found: as the rules gave them.
            fatal: what a finding that its authors call fatal does to the verdict; the others warn.
        """
        told = {(finding.rule, finding.location, finding.text): finding for finding in found.first if not _is_void(finding)}
        # A supplier's software departs from a profile in the same way all over an invoice: it is said once.
        repeated = Counter(finding.text for finding in told.values() if not finding.rule)
        kept: dict[object, Finding] = {}
        for key, finding in told.items():
            once = finding.rule if _OF_PARTIES.fullmatch(rule_of(finding)) else key
            kept.setdefault(once if finding.rule else finding.text, finding)
        problems = [self._problem(finding, fatal, repeated[finding.text]) for finding in kept.values()]
        problems = list(dict.fromkeys(problems))  # two rules of one name may come to the same words
        if found.total > len(found.first):
            problems.append(problem(RULES, "more", Severity.WARNING, more=found.total - len(found.first)))
        return problems

    def _problem(self, finding: Finding, fatal: Severity, times: int) -> Problem:
        rule = rule_of(finding)
        element, attribute = self._element(finding.location)
        line, path, value = _place(element, attribute or _attribute_of(rule, finding, element))
        found, reckoned = (None, None) if self._invoice is None else compared(rule, self._invoice, self._rank(element))
        field = _field(finding)
        quoted = _PREFIX.sub("", finding.text)[:_MOST_TEXT]
        told = _QUOTED.search(finding.text)
        stands = str(found) if found is not None else value or (told.group(1) if told else None) or None
        places = {
            "rule": rule,
            "field": field,
            "text": quoted,
            "found": stands or "",
            "expected": str(reckoned or ""),
            "times": str(times),
        }
        mild = rule == CLOSED_MODEL or not finding.fatal
        phrase = general(rule, quoted)
        expected, mend = ((phrase.word(what, places) if phrase else None) for what in ("expected", "mend"))
        return Problem(
            rule=named(rule),
            severity=Severity.WARNING if mild else fatal,
            message=_message(rule, phrase, places),
            line=line,
            path=path,
            found=stands,
            expected=str(reckoned) if reckoned is not None else words(f"{rule}.expected", **places) or expected,
            mend=words(f"{rule}.mend", **places) or mend or messages(f"{_family(rule)}.mend", **places),
        )

    def _rank(self, element: etree._Element | None) -> int | None:
        """Return which breakdown of VAT an element is in, from 0; None when it is in none."""
        within = set() if element is None else {element, *element.iterancestors()}
        breakdowns = (found for path in _BREAKDOWNS for found in self._tree.getroot().iterfind(path))
        return next((rank for rank, found in enumerate(breakdowns) if found in within), None)

    def _element(self, location: str) -> tuple[etree._Element | None, str]:
        """Return the element that a location names, and the attribute of it; None when there is none."""
        element: etree._Element | None = None
        attribute = ""
        for step in _STEP.finditer(location):
            name, uri = step["name"], step["uri"]
            if step["attribute"]:
                attribute = f"{{{uri}}}{name}" if uri else name
                break
            tag = f"{{{uri}}}{name}" if uri else name
            element = self._below(element, tag, int(step["rank"] or 1))
            if element is None:
                return None, ""
        return element, attribute

    def _below(self, element: etree._Element | None, tag: str, rank: int) -> etree._Element | None:
        if element is None:
            root = self._tree.getroot()
            return root if root.tag == tag else None
        return next((child for seen, child in enumerate(element.iterchildren(tag), 1) if seen == rank), None)


def _place(element: etree._Element | None, attribute: str) -> tuple[int | None, str | None, str | None]:
    """Return the line, the XPath and the value of an element, or of an attribute of it."""
    if element is None:
        return None, None, None
    path = path_of(element)
    if attribute:
        return element.sourceline, f"{path}/@{etree.QName(attribute).localname}", element.get(attribute)
    text = (element.text or "").strip()
    return element.sourceline, path, text if text != PLACEHOLDER and not len(element) else None


def _attribute_of(rule: str, finding: Finding, element: etree._Element | None) -> str:
    """Return the attribute that a rule is about though it points at its element; empty when it is about the element."""
    told = _OF_ATTRIBUTE.search(finding.text)
    attribute = told.group(1) if told else _ATTRIBUTES.get(rule, "")
    return attribute if attribute and element is not None and attribute in element.attrib else ""


def _is_void(finding: Finding) -> bool:
    """Tell whether a finding blames nothing.

    Either an element is empty that can be neither filled nor left out, or a sum is reckoned in one of the two ways that the
    extension lets.
    """
    demanded = rule_of(finding) == _EMPTY and _DEMANDED.fullmatch(finding.location) is not None
    return demanded or (not finding.fatal and _EITHER.fullmatch(finding.rule) is not None)


def rule_of(finding: Finding) -> str:
    """Return the rule that a finding is about.

    Up to its first underscore for a rule of the reform; a rule of EN 16931 keeps its name where Factur-X gives it a number.
    """
    if not finding.rule:
        return CLOSED_MODEL
    if finding.rule.startswith(_FACTUR_X) and (match := _NAMED.match(finding.text)):
        return match.group(1)
    if finding.rule.startswith(_FACTUR_X) and _NO_SUMS in finding.text:
        return "BR-12"
    return finding.rule.partition("_")[0] if finding.rule.startswith(_FRENCH) else finding.rule


def named(rule: str) -> str:
    """Return the name of a rule as problems bear it: those of EN 16931 say so."""
    return f"{_EN16931}:{rule}" if _OF_EN16931.match(rule) else rule


def whole(found: Findings) -> Findings:
    """Keep all that was found."""
    return found


def without_profile(found: Findings) -> Findings:
    """Leave out what only a profile of Factur-X asks, for a document that claims none."""
    kept = tuple(finding for finding in found.first if _OF_EN16931.match(rule_of(finding)))
    return Findings(kept, found.total - len(found.first) + len(kept))


def completing(found: Findings) -> Findings:
    """Keep, of what the rules of the French extension find, what EN 16931 asks under the same names.

    Elements that it has no use for are left to the profile, whose closed model only warns of them. A list of codes that the
    extension made longer bears the name that EN 16931 gives it: what is not even in the longer one is in neither.
    """
    kept = tuple(
        replace(finding, rule=f"BR-CL-{code.group(1)}") if code else finding
        for finding in found.first
        if finding.fatal and ((code := _LIST.fullmatch(finding.rule)) or _COMPLETING.fullmatch(finding.rule))
    )
    return Findings(kept, len(kept))


def _message(rule: str, phrase: Phrase | None, places: dict[str, str]) -> str:
    repeated = int(places["times"]) > 1
    own = None if rule == CLOSED_MODEL else words(f"{rule}.message", **places)
    if own is None and phrase is not None:
        own = phrase.word("repeated.message" if repeated else "message", places)
    if own is not None:
        return own
    if repeated:
        return messages(f"{rule}.repeated.message", **places)
    family = _family(rule)
    return messages(f"{family}.message" if family != _EN16931 or places["field"] else f"{family}.plain.message", **places)


def _family(rule: str) -> str:
    if rule == CLOSED_MODEL:
        return rule
    return next((family for prefix, family in _FAMILIES.items() if rule.startswith(prefix)), _EN16931)


def _field(finding: Finding) -> str:
    """Return the terms that a rule is about, with their names: those that its identifier bears, else the first of its text."""
    terms = _TERM.findall(finding.rule) or _TERM.findall(finding.text)[:1]
    return ", ".join(_labels(terms))


def _labels(terms: Iterable[str]) -> Iterable[str]:
    for term in dict.fromkeys(terms):
        label = words(f"field.{term}")
        yield f"{label} ({term})" if label else term
