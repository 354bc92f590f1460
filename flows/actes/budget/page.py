"""A budget in words: a glance that an elected official understands, and the whole presentation, chapter by chapter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from babel.numbers import format_decimal

from core.messages import Catalogue, current_locale
from core.problems import Severity
from flows.actes.budget.figures import APART, details, overview
from schemas.budget import labels, rules, summary
from schemas.budget.model import Budget, BudgetDocument
from schemas.budget.seal import Form
from schemas.budget.summary import ACCOUNTS, VOTES
from signing.docket.page import day_in_words
from signing.report.content import Page, Row, Section, Table, Tone, plain

_t = Catalogue("flows.actes.budget")


@dataclass(frozen=True, slots=True)
class Presented:
    """A budget and where it comes from.

    Attributes:
        document: gathered by chapter.
        name: of the file; ``sha256`` of its octets.
        number: of the act; ``identifier`` as the State knows it.
        at: when the file was kept: the presentation's own date.
    """

    document: BudgetDocument
    name: str
    sha256: str
    number: str
    identifier: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """One budget at a glance: what it is, whether it balances or what came of it, and its sections."""

    title: str
    balance: Row
    overview: Table


@dataclass(frozen=True, slots=True)
class Glance:
    """A budget document at a glance.

    Attributes:
        verdict: the answer, in a few words; ``tone`` how it is to be taken.
        seal: whether the file is the one that was sealed.
        more: how many budgets there are beside those that are told.
    """

    verdict: str
    tone: Tone
    seal: Row
    budgets: tuple[Told, ...]
    more: int


def glance_of(document: BudgetDocument, most: int | None = None) -> Glance:
    """Return a document at a glance, with its first budgets or all of them, in the words of the current locale."""
    seal = _seal(document)
    verdict, tone = _verdict(document, sound=seal.tone is Tone.GOOD)
    told = tuple(Told(_title(one), _balance(one), overview(one)) for one in document.budgets[:most])
    return Glance(verdict, tone, seal, told, len(document.budgets) - len(told))


def page_of(presented: Presented) -> Page:
    """Return the presentation of a budget, in the words of the current locale."""
    document, glance = presented.document, glance_of(presented.document)
    titles = [told.title for told in glance.budgets]
    sections = [_section(one, told) for one, told in zip(document.budgets, glance.budgets, strict=True)]
    return Page(
        language=current_locale(),
        title=_t("title", what=titles[0] if len(titles) == 1 else _t("title.several", count=len(titles))),
        verdict=glance.verdict,
        tone=glance.tone,
        meaning=_t("meaning", number=plain(presented.number), identifier=plain(presented.identifier)),
        reasons=tuple(reason for one in document.budgets for reason in _reasons(one, named=len(titles) > 1)),
        sections=(*sections, Section(_t("section.document"), tuple(_document(presented, glance.seal)))),
        notes=tuple(_notes(document, sections)),
    )


def _verdict(document: BudgetDocument, *, sound: bool) -> tuple[str, Tone]:
    """Return the answer: a broken seal counts before figures, and figures that do not balance before all others."""
    count = len(document.budgets)
    if not sound:
        return _t("verdict.seal"), Tone.BAD
    if not count:
        return _t("verdict.none"), Tone.DOUBT
    wrong = sum(bool(summary.gaps(one)) for one in document.budgets)
    if wrong:
        return _t("verdict.gaps" if count == 1 else "verdict.gaps.some", wrong=wrong, count=count), Tone.DOUBT
    if all(one.decision in VOTES for one in document.budgets):
        return _t("verdict.balanced" if count == 1 else "verdict.balanced.all", count=count), Tone.GOOD
    result = labels.euros(sum((part.result for one in document.budgets for part in summary.sections(one)), Decimal(0)))
    return _t("verdict.accounts" if count == 1 else "verdict.accounts.all", count=count, result=result), Tone.PLAIN


def _title(budget: Budget) -> str:
    decision = labels.decision(budget.decision, budget.number) or _t("decision.unknown")
    name, year = budget.name or rules.messages("unnamed"), str(budget.year or rules.messages("unknown"))
    return plain(_t("budget.project" if budget.project else "budget", decision=decision, year=year, name=name))


def _balance(budget: Budget) -> Row:
    """Return what the sections come to as sentences, then what does not balance between them."""
    _, *sentences = summary.words(budget)
    if budget.decision in ACCOUNTS:
        return Row(_t("row.result"), tuple(sentences))
    gaps = [gap for gap in summary.gaps(budget) if gap.kind != "section"]
    told = [rules.gap_in_words(gap, budget.nomenclature) for gap in gaps] or [_t("order.balanced")]
    tone = Tone.DOUBT if summary.gaps(budget) else Tone.GOOD
    return Row(_t("row.balance"), (*sentences, *(told if budget.decision in VOTES else ())), tone)


def _seal(document: BudgetDocument) -> Row:
    wrong = [problem.message for problem in rules.sealed(document.seal) if problem.severity is Severity.ERROR]
    if wrong:
        return Row(_t("row.seal"), (wrong[0],), Tone.BAD)
    seal = document.seal.seal
    moment = seal.sealed_at if seal else None
    when = _t("seal.on", day=day_in_words(moment.date())) if moment else _t("seal.undated")
    form = _t("seal.as_is" if document.seal.form is Form.AS_IS else "seal.indented")
    return Row(_t("row.seal"), (when, form), Tone.GOOD)


def _reasons(budget: Budget, *, named: bool) -> Iterator[str]:
    """Return what is to be looked at in a budget."""
    told = [rules.gap_in_words(gap, budget.nomenclature) for gap in summary.gaps(budget)]
    told += [rules.flaw_in_words(flaw) for flaw in budget.flaws]
    if not budget.rows_complete:
        told.append(_t("reason.merged"))
    return (_t("reason.of", name=_title(budget), reason=reason) if named else reason for reason in told)


def _section(budget: Budget, told: Told) -> Section:
    return Section(told.title, (told.balance, *_facts(budget)), (told.overview, *details(budget)))


def _notes(document: BudgetDocument, sections: list[Section]) -> Iterator[str]:
    lines = (line for section in sections for table in section.tables for line in table.lines)
    if any(line.cells[0].endswith(APART) for line in lines):
        yield _t("note.apart")
    yield _t("note.euros")
    if any(one.decision in VOTES for one in document.budgets):
        yield _t("note.balance")
    yield _t("note.file")


def _facts(budget: Budget) -> Iterator[Row]:
    said = (
        ("establishment", f"{budget.name} ({budget.siret})" if budget.name and budget.siret else budget.name or budget.siret),
        ("type", labels.code("CodTypBud", budget.type)),
        ("principal", budget.principal_name if budget.type == "A" else None),
        ("decided", day_in_words(budget.decided) if budget.decided else None),
        ("nomenclature", budget.nomenclature),
        ("vote", ", ".join(filter(None, (labels.code("NatFonc", budget.by), labels.code("NatVote", budget.vote))))),
        ("result.kept", labels.code("ReprRes", budget.result) if budget.decision in VOTES else None),
        ("lines", format_decimal(budget.lines, locale=current_locale())),
    )
    for name, value in said:
        if value:
            yield Row(_t(f"row.{name}"), (plain(value),))
    if budget.annexes:
        yield Row(_t("row.annexes"), (plain(", ".join(labels.code("annexe", one.name) for one in budget.annexes)),))


def _document(presented: Presented, seal: Row) -> Iterator[Row]:
    document, header, status = presented.document, presented.document.header, presented.document.seal
    yield seal
    if header:
        known = (header.name, header.siret, labels.code("NatCEPL", header.kind))
        yield Row(_t("row.authority"), tuple(plain(one) for one in known if one) or (_t("unsaid"),))
        office = " ".join(filter(None, (header.office_name, header.office)))
        yield Row(_t("row.office"), (plain(office) or _t("unsaid"),))
    yield Row(_t("row.kind"), (_t("kind.cfu" if document.is_cfu else "kind.budget"),))
    if document.is_cfu:
        yield Row(_t("row.signatures"), (_t("signatures", count=document.signatures),))
        yield Row(
            _t("row.accounting"), (_t("accounting", count=format_decimal(document.accounting_lines, locale=current_locale())),)
        )
    tools = [f"{tool} {version}" for tool, version in status.tools.items()]
    yield Row(_t("row.tools"), (plain(", ".join([*filter(None, [document.editor]), *tools])) or _t("unsaid"),))
    size = _t("file.size", size=format_decimal(document.size, locale=current_locale()))
    yield Row(_t("row.file"), (plain(presented.name), size, _t("file.sha256", digest=presented.sha256)))
    if status.seal:
        prints = status.seal.fingerprints
        yield Row(_t("row.fingerprints"), (f"MD5 {plain(prints.md5)}", f"SHA-1 {plain(prints.sha1)}"))
