"""The index of a PES: what it finds, in which order, page after page, while it is written and after."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.messages import speaking
from schemas.pes import labels, lookup
from schemas.pes.index import build, write_index
from schemas.pes.sample import Sample, write_sample
from schemas.pes.seen import Page, Piece, Wanted
from tests.unit.schemas.test_pes_contents import flow, packed, pj

_MANY = 60


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of a sample of two bordereaux of thirty mandats, three lines each."""
    folder = tmp_path_factory.mktemp("index")
    write_sample(Sample("INDEXÉ", bordereaux=2, pieces=30, lines=3), folder / "pes.xml")
    told = build({"source": str(folder / "pes.xml"), "target": str(folder / "index.sqlite")})
    assert told == {"pieces": _MANY, "lines": 180}
    return folder / "index.sqlite"


@pytest.fixture
def database(index: Path) -> Iterator[sqlite3.Connection]:
    """The same, opened."""
    with lookup.opened(index) as opened:
        yield opened


def indexed(folder: Path, document: bytes) -> Path:
    write_index([document], folder / "index.sqlite")
    return folder / "index.sqlite"


def walked(database: sqlite3.Connection, wanted: Wanted, limit: int) -> tuple[list[Page[Piece]], list[Page[Piece]]]:
    """Go to the last page, then back to the first."""
    forth = [lookup.pieces(database, wanted, limit)]
    while forth[-1].after is not None:
        forth.append(lookup.pieces(database, wanted, limit, after=forth[-1].after))
    back = [forth[-1]]
    while back[-1].before is not None:
        back.append(lookup.pieces(database, wanted, limit, before=back[-1].before))
    return forth, back


def test_the_summary_compares_what_is_declared_with_what_was_counted(database: sqlite3.Connection) -> None:
    summary = lookup.summary(database)
    assert (summary.header.nom_fic if summary.header else None) == "INDEXÉ"
    assert (summary.bodies, summary.pieces, summary.lines, summary.attachments) == (("depense", "pj"), _MANY, 180, 1)
    assert [(one.number, one.sums.pieces, one.gaps) for one in summary.bordereaux] == [("101", 30, ()), ("102", 30, ())]
    first, second = summary.bordereaux
    assert first.ht == first.sums.ht
    assert summary.total("depense") == first.ttc + second.ttc
    assert summary.flaws == ()


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(text="fournitures"), Wanted(text="fournitures", tiers="garage")])
def test_pages_go_forth_and_back_over_the_same_pieces_in_order(database: sqlite3.Connection, wanted: Wanted) -> None:
    forth, back = walked(database, wanted, 7)
    ranks = [piece.id for page in forth for piece in page.rows]
    assert ranks == sorted(set(ranks))
    assert len(ranks) == forth[0].total
    assert sorted(piece.id for page in back for piece in page.rows) == ranks
    assert forth[0].before is None
    assert back[-1].rows == forth[0].rows


def test_a_search_ignores_accents_and_case_finishes_words_and_looks_everywhere(database: sqlite3.Connection) -> None:
    def found(text: str = "", tiers: str = "") -> int:
        return lookup.pieces(database, Wanted(text=text, tiers=tiers), 5).total

    assert found("FOURNIT") == _MANY
    assert found("epine") == found("Épine") == found(tiers="belle-épi") == 15
    assert found("F12-2") == 1
    assert found("fournitures cantine") == 15
    assert found(tiers="fournitures") == 0
    assert found("introuvable") == 0
    assert found("\"' ( ) * - OR NEAR( ^ :") == 0
    assert found("***") == _MANY


def test_filters_narrow_together(database: sqlite3.Connection) -> None:
    second = lookup.pieces(database, Wanted(bordereau=2), 100)
    assert [piece.id for piece in second.rows] == list(range(31, 61))
    amounts = [piece.ttc for piece in second.rows]
    middle = sorted(amounts)[15]
    narrowed = lookup.pieces(database, Wanted(bordereau=2, least=middle), 100)
    assert sorted(piece.ttc for piece in narrowed.rows) == sorted(one for one in amounts if one >= middle)
    assert lookup.pieces(database, Wanted(most=Decimal("0.01")), 100).rows == ()


def test_lines_are_paged_and_narrowed_to_those_where_the_words_stand(database: sqlite3.Connection) -> None:
    first = lookup.lines(database, 12, "", 2)
    assert ([line.values["IdLigne"] for line in first.rows], first.total, first.before) == (["1", "2"], 3, None)
    second = lookup.lines(database, 12, "", 2, after=first.after)
    assert ([line.values["IdLigne"] for line in second.rows], second.after) == (["3"], None)
    assert lookup.lines(database, 12, "", 2, before=second.before).rows == first.rows
    (only,) = lookup.lines(database, 12, "f12-3", 50).rows
    assert (only.values["Facture"], only.ttc) == ("F12-3", (only.ht or 0) + (only.tva or 0))


def test_documents_and_references_find_each_other_or_are_loose(tmp_path: Path) -> None:
    piece = (
        '<PES_DepenseAller><Bordereau><BlocBordereau><IdBord V="1"/></BlocBordereau><Piece><BlocPiece><InfoPce><IdPce V="9"/>'
        '<PJRef><Support V="01"/><IdUnique V="PJ1"/></PJRef><PJRef><Support V="01"/><IdUnique V="ABSENTE"/></PJRef>'
        '<PJRef><Support V="02"/><IdUnique V="PAPIER"/></PJRef></InfoPce></BlocPiece></Piece></Bordereau></PES_DepenseAller>'
    )
    loose = '<IdUnique V="SEULE"/>'
    apart = '<IdUnique V="RATTACHÉE"/><RefCompta><Domaine V="01"/><Identifiant V="9"/></RefCompta>'
    held = "".join(pj(packed(b"a"), rest)[8:-9] for rest in ('<IdUnique V="PJ1"/>', loose, apart))
    with lookup.opened(indexed(tmp_path, flow(f"{piece}<PES_PJ>{held}</PES_PJ>"))) as database:
        assert [one.attachment for one in lookup.references(database, 1, 10)] == [1, None, None]
        assert [one.unique_id for one in lookup.unresolved(database, 10)] == ["ABSENTE"]
        assert lookup.loose_ends(database) == (1, 1)
        assert [one.piece for one in lookup.attachments(database, 10)] == [1, None, None]
        assert [one.unique_id for one in lookup.attachments(database, 10, loose=True)] == ["SEULE"]
        assert lookup.pieces(database, Wanted(text="absente"), 5).total == 1


def test_a_bordereau_of_reductions_is_taken_away_and_gaps_are_named(tmp_path: Path) -> None:
    def bordereau(kind: str, declared: str, count: str) -> str:
        return (
            f'<Bordereau><BlocBordereau><IdBord V="1"/><TypBord V="{kind}"/><NbrPce V="{count}"/><MtBordHT V="{declared}"/>'
            '<MtBordTVA V="20"/></BlocBordereau><Piece><LigneDePiece><MtHT V="100.00"/><MtTVA V="20.00"/></LigneDePiece></Piece>'
            "</Bordereau>"
        )

    body = f"<PES_DepenseAller>{bordereau('01', '100', '1')}{bordereau('02', '110.00', '3')}</PES_DepenseAller>"
    with lookup.opened(indexed(tmp_path, flow(body))) as database:
        summary = lookup.summary(database)
    assert [one.gaps for one in summary.bordereaux] == [(), ("pieces", "ht")]
    assert summary.total("depense") == Decimal(0)


def test_of_a_return_nothing_is_declared_hence_nothing_is_a_gap(tmp_path: Path) -> None:
    piece = "<Piece><LigneDePiece><MtHT V='1.00'/></LigneDePiece></Piece>"
    body = f"<PES_DepenseRetour><Bordereau><IdBord V='1'/>{piece}</Bordereau></PES_DepenseRetour>"
    with lookup.opened(indexed(tmp_path, flow(body))) as database:
        assert [(one.gaps, one.sums.pieces) for one in lookup.summary(database).bordereaux] == [((), 1)]


def test_numbers_of_accounts_and_of_social_security_are_not_found_by_searching(tmp_path: Path) -> None:
    people = (
        '<Tiers><InfoTiers><IdTiers V="{}"/><NatIdTiers V="{}"/><Nom V="AUBRAC"/></InfoTiers>'
        '<CpteBancaire><IBAN V="FR7612345"/></CpteBancaire></Tiers>'
    )
    lines = "".join(
        f'<Piece><LigneDePiece><MtHT V="1.00"/>{people.format(number, kind)}</LigneDePiece></Piece>'
        for number, kind in (("2900199999999", "04"), ("21990001600011", "01"))
    )
    with lookup.opened(
        indexed(tmp_path, flow(f"<PES_DepenseAller><Bordereau>{lines}</Bordereau></PES_DepenseAller>"))
    ) as database:
        totals = [lookup.pieces(database, Wanted(text=text), 5).total for text in ("2900", "2199", "FR76", "aubrac")]
    assert totals == [0, 1, 0, 2]


def test_what_was_read_so_far_is_seen_while_the_rest_is_still_to_come(tmp_path: Path) -> None:
    path = tmp_path / "pes.xml"
    write_sample(Sample("EN COURS", pieces=40, lines=3), path)
    document, target = path.read_bytes(), tmp_path / "index.sqlite"
    seen: list[object] = []
    half = document.index(b'<IdPce V="31"/>')

    def coming() -> Iterator[bytes]:
        yield document[:half]
        with lookup.opened(target) as database:
            summary = lookup.summary(database)
            seen.append((lookup.begun(database), summary.lines, summary.bordereaux[0].whole, summary.bordereaux[0].gaps))
            seen.append(lookup.pieces(database, Wanted(), 100).total)
        yield document[half:]

    write_index(coming(), target)
    assert seen == [(True, 60, False, ()), 20]
    with lookup.opened(target) as database:
        assert lookup.summary(database).bordereaux[0].whole


def test_an_index_that_is_not_there_or_is_broken_is_said_to_be(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"SQLite format 3\x00" + b"\x00" * 4096)
    for path in (tmp_path / "absent.sqlite", broken):
        with pytest.raises(lookup.Unreadable), lookup.opened(path) as database:
            lookup.summary(database)


def test_codes_are_told_in_both_languages_by_domain_and_an_unknown_one_shows_bare() -> None:
    assert labels.code("TypPce", "06", "depense") == "mandat global"
    assert labels.code("TypPce", "06", "recette") == "titre récapitulatif avec rôle"
    assert labels.code("TypPce", "77", "depense") == "77"
    assert labels.code("ModRegl", None) == ""
    assert labels.field("Inconnu") == "Inconnu"
    with speaking("en"):
        assert labels.code("ModRegl", "03") == "bank transfer"
