"""Tables of contacts as spreadsheets and other software write them, addresses as people paste them, variables of templates."""

from __future__ import annotations

import pytest

from core.errors import UnreadableInput, UsageError
from flows.mail.book import csv_lines, templates, written
from flows.mail.book.contacts import Told
from flows.mail.book.written import FaultyLines


def table(text: str, encoding: str = "utf-8") -> list[tuple[str, str, tuple[str, ...], str]]:
    return [(one.told.address, one.told.name, one.groups, one.told.note) for one in csv_lines.read(text.encode(encoding))]


@pytest.mark.parametrize(
    "text",
    [
        "Nom;Adresse électronique;Groupes;Remarque\nÉlodie Roy;elodie@elus.test;Conseil|Finances;maire\n",
        "\ufefftéléphone,groupes,NOM,courriel,note\n0102,Conseil|Finances,Élodie Roy,elodie@elus.test,maire\n",
        "elodie@elus.test;Élodie Roy;Conseil|Finances;maire",
        "Élodie Roy\telodie@elus.test\tConseil|Finances\tmaire\r\n\r\n",
        '"Élodie Roy <elodie@elus.test>";;Conseil | Finances;"maire"\n',
        "elodie@elus.test;Élodie Roy;Conseil;maire\nElodie@ELUS.test;;Finances\n",
    ],
)
def test_a_table_reads_alike_whatever_its_columns_and_its_signs_between_them(text: str) -> None:
    for encoding in ("utf-8", "utf-16", *(("cp1252",) if text[0] != "\ufeff" else ())):
        assert table(text, encoding) == [("elodie@elus.test", "Élodie Roy", ("Conseil", "Finances"), "maire")], encoding


def test_every_faulty_line_of_two_thousand_is_told_with_its_number_and_what_is_wrong() -> None:
    lines = [f"p{rank}@elus.test;Personne {rank};Conseil" for rank in range(1, 2001)]
    lines[6] = "p7 chez elus.test;Personne 7"
    lines[99] = ";Personne sans adresse;Conseil"
    lines[999] = "p1@elus.test;Quelqu’un d’autre;Conseil"
    lines[1499] = f"p1500@elus.test;{'n' * 201};Conseil"
    lines[1799] = 'p1800@elus.test;"Per"sonne;Conseil'
    lines[1999] = f"p2000@elus.test;Personne;{'g' * 121}"
    with pytest.raises(FaultyLines) as refused:
        csv_lines.read("\n".join(lines).encode())
    said = {one.line: one.message for one in refused.value.faults}
    assert list(said) == [7, 100, 1000, 1500, 1800, 2000]
    assert "à la ligne 1, sous un autre nom\u00a0: Personne 1" in said[1000]
    assert "201 caractères\u00a0: il en faut 200" in said[1500]
    assert str(refused.value) == "6 lignes sont à corriger. Rien n’a été enregistré."


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "vide"),
        (b"\n \n;;\n", "vide"),
        (b"nom;groupe\nRoy;Conseil", "Aucune colonne"),
        (b"a@b.test\n" * (csv_lines.MOST + 1), "5000"),
        (b"a" * (csv_lines.LARGEST + 1), "1 Mio"),
        (b"PK\x03\x04\x00\x00", "texte"),
    ],
)
def test_what_is_no_table_of_contacts_is_refused_with_what_to_do(octets: bytes, says: str) -> None:
    with pytest.raises((UnreadableInput, UsageError)) as refused:
        csv_lines.read(octets)
    assert says in str(refused.value)


def test_no_cell_of_an_export_is_reckoned_with_and_it_is_read_back_as_it_was() -> None:
    told = Told("=a@elus.test", '=HYPERLINK("http://x")', "-1+2;\u00abà rappeler\u00bb")
    text = csv_lines.written([csv_lines.COLUMNS, csv_lines.line_of(told, ["+Conseil", "Finances"])])
    assert not [cell for line in text.splitlines()[1:] for cell in line.split(";") if cell.strip('"').startswith(("=", "-", "+"))]
    (row,) = csv_lines.read((csv_lines.MARK + text).encode())
    assert (row.told, row.groups) == (told, ("+Conseil", "Finances"))


def test_recipients_are_read_as_people_write_and_paste_them() -> None:
    said = written.recipients(
        "camille@elus.test\n\n"
        "Aubert, Dominique <d.aubert@elus.test>\n"
        "Perrin ; sacha@elus.test\n"
        '"Roy, É." <e.roy@elus.test>; «\u00a0Lou\u00a0» <lou@elus.test>, sans.nom@elus.test;\n'
        "max@elus.test\tMax Petit\tConseil",
        most=10,
    )
    assert [(one.address, one.name) for one in said] == [
        ("camille@elus.test", ""),
        ("d.aubert@elus.test", "Aubert, Dominique"),
        ("sacha@elus.test", "Perrin"),
        ("e.roy@elus.test", "É."),
        ("lou@elus.test", "Lou"),
        ("sans.nom@elus.test", ""),
        ("max@elus.test", "Max Petit"),
    ]
    for one in said:
        assert written.recipients(written.line_of(one.name, one.address), 1) == [one]
    with pytest.raises(FaultyLines) as refused:
        written.recipients("a@elus.test\nConseil municipal\nA@ELUS.TEST\nb@\nb@elus.test", most=1)
    assert [one.line for one in refused.value.faults] == [2, 3, 4, 5]


def test_variables_are_filled_once_and_others_are_told() -> None:
    text = "Bonjour {nom},\n{collectivite} vous écrit : {objet} {prenom} {} {nom}"
    assert templates.unknown(text) == ("prenom",)
    filled = templates.filled(text, {"nom": "{objet}", "objet": "Avis"})
    assert filled == "Bonjour {objet},\n{collectivite} vous écrit : Avis {prenom} {} {objet}"
    with pytest.raises(UsageError, match=r"\{prenom\}.*\{collectivite\}, \{service\}"):
        templates.check(templates.Told("Modèle", "secured", "Avis", text))
    with pytest.raises(UsageError, match="lui-même"):
        templates.check(templates.Told("Modèle", "secured", "Objet : {objet}"))
