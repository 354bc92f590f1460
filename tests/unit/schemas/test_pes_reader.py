"""Reading flows: header from a stream, everything from the tree, schema-invalid files too."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.pes.header import Header
from schemas.pes.reader import amount, flag, read, read_header, whole
from schemas.pes.sample import Sample, write_sample
from schemas.xml import DoctypeRefused, Malformed


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", bordereaux=2), path)
    return path


def test_the_header_read_from_a_stream_is_that_of_the_tree(flow: Path) -> None:
    assert read_header(flow) == read(flow).header
    assert read_header(flow).issued == date(2026, 3, 2)


def test_the_header_is_read_although_what_follows_is_broken(flow: Path) -> None:
    header = read_header(flow)
    content = flow.read_bytes()
    flow.write_bytes(content[: content.index(b"</EnTetePES>") + 20])
    assert read_header(flow) == header


def test_a_header_cut_short_is_malformed(flow: Path) -> None:
    flow.write_bytes(flow.read_bytes()[:300])
    with pytest.raises(Malformed):
        read_header(flow)


def test_a_doctype_is_refused_in_a_stream_too(flow: Path) -> None:
    flow.write_bytes(flow.read_bytes().replace(b"?>\n", b"?>\n<!DOCTYPE x>", 1))
    with pytest.raises(DoctypeRefused):
        read_header(flow)


def test_a_file_without_header_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    path.write_bytes(b"<PES_Aller>" + b"<a/>" * 500_000 + b"<EnTetePES><IdPost V='099012'/></EnTetePES></PES_Aller>")
    assert read_header(path) == Header(kind="pes-aller")


def test_a_return_calls_the_authority_codcoll(tmp_path: Path) -> None:
    path = tmp_path / "return.xml"
    path.write_text("<PES_Retour><EnTetePES><CodColl V='123'/></EnTetePES></PES_Retour>")
    assert read_header(path) == read(path).header == Header(kind="pes-retour", cod_col="123")


def test_a_signature_is_seen_where_it_stands(flow: Path) -> None:
    signature = b'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'
    content = flow.read_bytes()
    flow.write_bytes(content.replace(b"</Bordereau>", signature + b"</Bordereau>", 1))
    document = read(flow)
    assert [bordereau.signed for bordereau in document.bordereaux] == [True, False]
    assert not document.globally_signed
    flow.write_bytes(content.replace(b"</n:PES_Aller>", signature + b"</n:PES_Aller>"))
    assert read(flow).globally_signed


def test_what_is_missing_or_unreadable_is_none(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    path.write_text(
        "<PES_Aller><PES_DepenseAller><EnTeteDepense><InfoDematerialisee V='non'/></EnTeteDepense><Bordereau><BlocBordereau>"
        "<NbrPce V='deux'/><MtBordHT V='1,5'/></BlocBordereau></Bordereau></PES_DepenseAller><PES_PJ><PJ/></PES_PJ></PES_Aller>"
    )
    document = read(path)
    (bordereau,) = document.bordereaux
    assert (bordereau.id_bord, bordereau.nbr_pce, bordereau.mt_bord_ht, bordereau.pieces) == (None, None, None, 0)
    assert document.domains[0].dematerialised is None
    assert (document.attachments[0].id_unique, document.attachments[0].length) == (None, 0)
    assert document.facts()["bordereaux"][0]["mt_bord_ht"] is None


def test_lengths_of_attachments_are_those_of_their_text(flow: Path) -> None:
    document = read(flow)
    assert [attachment.length for attachment in document.attachments] == [
        len(element.text) for element in document.root.iter("Fichier")
    ]


def test_values_are_read_as_the_schema_spells_them() -> None:
    assert [flag(text) for text in ("1", "true", "0", "false", "TRUE", None)] == [True, True, False, False, None, None]
    assert [whole(text) for text in ("2", "02", "+2", "2.0", "2.5", "x", "", "9" * 41)] == [2, 2, 2, 2, None, None, None, None]
    assert [amount(text) for text in ("1.50", "-1", "1e3", "NaN", "1,5")] == [Decimal("1.50"), Decimal(-1), None, None, None]
