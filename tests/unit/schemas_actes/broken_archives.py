"""Archives of which one rule is broken, alone: each is a sound one, and a change to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.problems import Severity
from schemas.actes.messages import ARAnnulation
from schemas.actes.writer import render
from tests.unit.schemas_actes.acts import ID_ACTE, MAILBOX, PDF, SENT, SIREN, Parcel, a_parcel, an_act


def plain_parcel() -> Parcel:
    """An archive whose message has no accent."""
    return a_parcel(an_act(subject="Election"))


MESSAGE = f"{ID_ACTE}-1-1_0.xml"
DOCUMENT = f"99_DE-{ID_ACTE}-1-1_1.pdf"
ANNEX = f"99_DE-{ID_ACTE}-1-1_2.png"


def replaced(old: str, new: str, name: str = MESSAGE) -> Callable[[Parcel], None]:
    """Something else written in a file of the archive."""

    def change(parcel: Parcel) -> None:
        content = parcel.files[name].decode("latin-1")
        assert old in content
        parcel.files[name] = content.replace(old, new).encode("latin-1")

    return change


def in_envelope(old: str, new: str) -> Callable[[Parcel], None]:
    return lambda parcel: replaced(old, new, parcel.envelope_name)(parcel)


def in_utf8(parcel: Parcel) -> None:
    parcel.files[MESSAGE] = parcel.files[MESSAGE].decode("latin-1").encode()


def renamed(old: str, new: str, *, everywhere: bool = True) -> Callable[[Parcel], None]:
    """A file that bears another name, in whatever names it too."""

    def change(parcel: Parcel) -> None:
        parcel.files = {new if name == old else name: content for name, content in parcel.files.items()}
        if everywhere:
            for name, content in parcel.files.items():
                if name.endswith(".xml"):
                    parcel.files[name] = content.replace(old.encode(), new.encode())

    return change


def without(name: str) -> Callable[[Parcel], None]:
    def change(parcel: Parcel) -> None:
        del parcel.files[name]

    return change


def with_content(name: str, content: bytes) -> Callable[[Parcel], None]:
    def change(parcel: Parcel) -> None:
        parcel.files[name] = content

    return change


def called(name: str) -> Callable[[Parcel], None]:
    def change(parcel: Parcel) -> None:
        parcel.name = name

    return change


def several(*changes: Callable[[Parcel], None]) -> Callable[[Parcel], None]:
    def change(parcel: Parcel) -> None:
        for one in changes:
            one(parcel)

    return change


@dataclass(frozen=True)
class Broken:
    """A rule broken alone."""

    rule: str
    story: str
    change: Callable[[Parcel], None]
    severity: Severity = Severity.ERROR
    found: str | None = None
    parcel: Callable[[], Parcel] = a_parcel

    def __str__(self) -> str:
        return f"{self.rule} {self.story}"


WARNING = Severity.WARNING
BUDGET_ID = "040-254002264-20240315-BP2024-BF"
BUDGET = f"{BUDGET_ID}-1-1_0.xml"
LONG = "x" * 500

BROKEN = [
    Broken(
        "R01", "another extension", called("SIC-EACT--254002264--20240316-1.tgz"), found="SIC-EACT--254002264--20240316-1.tgz"
    ),
    Broken("R01", "a day that does not exist", called("SIC-EACT--254002264--20240230-1.tar.gz")),
    Broken("R01", "a SIREN of eight digits", called("SIC-EACT--25400226--20240316-1.tar.gz")),
    Broken("R02", "another operator", called("SLO-EACT--254002264--20240316-1.tar.gz"), found="SLO"),
    Broken(
        "R02",
        "a test sent to production",
        several(
            called("SIC-TACT--254002264--20240316-1.tar.gz"),
            renamed("EACT--254002264--20240316-1.xml", "TACT--254002264--20240316-1.xml"),
        ),
        found="TACT",
    ),
    Broken("R06", "another counter", called("SIC-EACT--254002264--20240316-2.tar.gz")),
    Broken("R06", "a nought before the counter", called("SIC-EACT--254002264--20240316-01.tar.gz")),
    Broken("R06", "no envelope at all", without("EACT--254002264--20240316-1.xml")),
    Broken("R07", "an element that is not there", in_envelope("Telephone>", "Portable>"), found=None),
    Broken("R07", "not well-formed", in_envelope("</actes:Emetteur>", "")),
    Broken("R07", "a DOCTYPE", in_envelope("?>", "?><!DOCTYPE a>"), found="<!DOCTYPE"),
    Broken("R07", "an envelope of the State", in_envelope("EnveloppeCLMISILL", "EnveloppeMISILLCL"), found="EnveloppeMISILLCL"),
    Broken(
        "R08",
        "another SIREN in its name",
        several(
            called("SIC-EACT--217300012--20240316-1.tar.gz"),
            renamed("EACT--254002264--20240316-1.xml", "EACT--217300012--20240316-1.xml"),
        ),
        found=SIREN,
    ),
    Broken("R09", "another nature", in_envelope('Nature="31"', 'Nature="44"'), found="44"),
    Broken("R09", "another arrondissement", in_envelope('Arrondissement="1"', 'Arrondissement="2"'), found="2"),
    Broken("R10", "the operator's mailbox left out", in_envelope(MAILBOX, "autre@example.fr"), WARNING, "autre@example.fr"),
    Broken("R12", "an element that is not there", replaced("actes:ClassificationDateVersion>", "actes:Version>")),
    Broken("R12", "an element left out", replaced("<actes:DocumentPapier>N</actes:DocumentPapier>", "")),
    Broken("R12", "an attribute without its prefix", replaced("actes:NumeroInterne", "NumeroInterne")),
    Broken("R12", "a date that is none", replaced("2024-01-10", "2024-01-32"), found="2024-01-32"),
    Broken("R12", "a number too large to be one", replaced('CodeMatiere="2"', 'CodeMatiere="99999999999"'), found="99999999999"),
    Broken("R12", "not well-formed", replaced("</actes:Acte>", "")),
    Broken("R12", "a DOCTYPE", replaced("?>", "?><!DOCTYPE a>"), found="<!DOCTYPE"),
    Broken(
        "R12",
        "a message that only the State sends",
        with_content(MESSAGE, render(ARAnnulation(ID_ACTE, SENT))),
        found="ARAnnulation",
    ),
    Broken("R12", "another norm's message", with_content(MESSAGE, b"<Acte/>"), found="Acte"),
    Broken("R13", "no counter in the name", renamed(MESSAGE, f"{ID_ACTE}-1-1.xml"), found=f"{ID_ACTE}-1-1.xml"),
    Broken("R15", "another day in the name", replaced('Date="2024-03-15"', 'Date="2024-03-14"'), WARNING, "2024-03-15"),
    Broken(
        "R16", "another number in the name", replaced('NumeroInterne="2024_012"', 'NumeroInterne="2024_013"'), found="2024_012"
    ),
    Broken("R18", "the annex left out", without(ANNEX), found=ANNEX),
    Broken("R19", "a file that nothing names", with_content("notes.txt", b"x"), found="notes.txt"),
    Broken("R19", "a name of everyday life", with_content("Réunion du 3.docx", b"x"), found="Réunion du 3.docx"),
    Broken("R20", "three annexes announced", replaced('Nombre="1"', 'Nombre="3"'), found="3"),
    Broken("R21", "a document called anything", renamed(DOCUMENT, "deliberation.pdf"), found="deliberation.pdf"),
    Broken(
        "R21",
        "a document of another message",
        renamed(DOCUMENT, DOCUMENT.replace("_012-", "_013-")),
        found=f"{ID_ACTE.replace('_012', '_013')}-1-1",
    ),
    Broken(
        "R21",
        "twice the same counter",
        renamed(ANNEX, ANNEX.replace("_2.png", "_1.png")),
        found=ANNEX.replace("_2.png", "_1.png"),
    ),
    Broken("R21", "no typology", renamed(DOCUMENT, f"{ID_ACTE}-1-1_1.pdf"), found=f"{ID_ACTE}-1-1_1.pdf"),
    Broken("R21", "a typology in small letters", renamed(DOCUMENT, DOCUMENT.replace("99_DE", "99_de"))),
    Broken("R22", "a typology of nowhere", renamed(DOCUMENT, DOCUMENT.replace("99_DE", "99_XX")), found="99_XX"),
    Broken("R22", "the typology of another nature", renamed(DOCUMENT, DOCUMENT.replace("99_DE", "99_BU")), found="99_BU"),
    Broken("R23", "a ZIP called PDF", with_content(DOCUMENT, b"PK\x03\x04 docx"), found="ZIP"),
    Broken("R23", "a PDF called PNG", with_content(ANNEX, PDF), found="PDF"),
    Broken("R23", "an empty file", with_content(DOCUMENT, b""), found=DOCUMENT),
    Broken("R23", "a format of nowhere", renamed(ANNEX, ANNEX.replace(".png", ".docx")), found=ANNEX.replace(".png", ".docx")),
    Broken(
        "R23",
        "a DOCTYPE in an annex",
        several(renamed(ANNEX, ANNEX.replace(".png", ".xml")), with_content(ANNEX.replace(".png", ".xml"), b"<!DOCTYPE a><a/>")),
        found="<!DOCTYPE",
    ),
    Broken("R33", "an empty object", replaced("Élection d'un délégué", "  ")),
    Broken("R33", "an object of 500 characters", replaced("Élection d'un délégué", LONG)),
    Broken("R33", "an object of 501 characters", replaced("Élection d'un délégué", LONG + "x")),
    Broken("R33", "an object on two lines", replaced("Élection d'un", "Élection\nd'un"), found="U+000A"),
    Broken("R34", "UTF-8 under another label", in_utf8, found="0xC389 (É)"),
    Broken("R34", "UTF-8 and saying so", replaced("ISO-8859-1", "UTF-8"), found="UTF-8", parcel=plain_parcel),
    Broken(
        "R34",
        "no declaration, no accent",
        replaced('<?xml version="1.0" encoding="ISO-8859-1"?>', ""),
        WARNING,
        parcel=plain_parcel,
    ),
    Broken("R34", "no declaration, and accents", replaced('<?xml version="1.0" encoding="ISO-8859-1"?>', ""), found="0xC9"),
    Broken("R34", "an apostrophe of Windows", replaced("d'un", "d\x92un"), WARNING, "0x92 (’)"),
    Broken("R34", "an apostrophe by reference", replaced("d'un", "d&#8217;un"), WARNING, "’ (U+2019)"),
    Broken("R34", "a letter that Latin has not, by reference", replaced("d'un", "&#1071;"), found="Я (U+042F)"),
    Broken("R34", "a byte order mark", replaced("<?xml", "\xef\xbb\xbf<?xml"), found="UTF-8", parcel=plain_parcel),
    Broken("R35", "paper told otherwise", replaced("Papier>N<", "Papier>0<"), WARNING, "0"),
    Broken(
        "R40",
        "a plus sign in an address",
        in_envelope(f"{MAILBOX}<", f"{MAILBOX}</actes:Email><actes:Email>maire+actes@example.fr<"),
        found="maire+actes@example.fr",
    ),
    Broken(
        "R40",
        "a long domain in an address",
        in_envelope("agent@mairie.example.fr", "agent@mairie.alsace.bretagne"),
        found="agent@mairie.alsace.bretagne",
    ),
]
