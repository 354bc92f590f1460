"""Our schema of CPPFactureMixte says what the published one says: on samples, on elements missing, doubled or of other values."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.unit.schemas_invoices.documents import PDF, facts, mixte, piece

OWN = Path(__file__).parents[3] / "schemas" / "invoices" / "CPPFactureMixte.xsd"
VALUES = (
    "",
    "0",
    "1",
    "01",
    "7",
    "30",
    "97",
    "A1",
    "A21",
    "A22",
    "380",
    "EUR",
    "eur",
    "12.5",
    "2026-10-05",
    "x" * 21,
    "x" * 51,
    "x" * 101,
)
LINE = (
    '<Lignes><Ligne NumOrdre="1"><ReferenceProduit>R</ReferenceProduit><Description>D</Description>'
    "<SiteLivraison>S</SiteLivraison><PrixUnitaire>1.00</PrixUnitaire><Quantite>2</Quantite><MontantHT>2.00</MontantHT><TauxTVA>20.0</TauxTVA></Ligne></Lignes>"
)


def full() -> etree._Element:
    unit = facts(more="<IdFactureOrigine>F1</IdFactureOrigine>").replace("</DonneesFacture>", LINE + "</DonneesFacture>")
    octets = mixte(unit + piece(PDF)).decode()
    octets = octets.replace(
        "<Debiteur>",
        "<Valideur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>1</Identifiant><RaisonSociale>V</RaisonSociale>"
        "<CodePays>FR</CodePays></Valideur><Debiteur>",
    )
    octets = octets.replace("</Valeurparametre>", "</Valeurparametre><Note>n</Note>").replace("</Nom>", "</Nom>", 1)
    octets = octets.replace("<Id>REC001</Id>", "<Id>REC001</Id><Libelle>l</Libelle><Note>n</Note>")
    octets = octets.replace("</CodeService>", "</CodeService><NomService>Finances</NomService>")
    octets = octets.replace(
        "</Compte>", "</Compte><Etablissement>E</Etablissement><RaisonSocialeEncaisseur>R</RaisonSocialeEncaisseur>"
    )
    return etree.fromstring(octets.encode())


def damaged(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Give copies of a document, each with one thing changed at one element."""
    for rank in range(len(list(root.iter()))):
        for change in ("remove", "double", "rename", "move", *VALUES, "attribute"):
            whole = copy.deepcopy(root)
            element = list(whole.iter())[rank]
            parent = element.getparent()
            if change in {"remove", "double", "move"} and parent is None:
                continue
            match change:
                case "remove":
                    parent.remove(element)
                case "double":
                    element.addnext(copy.deepcopy(element))
                case "move":
                    parent.append(element)
                case "rename":
                    element.tag = "{http://chorus-factures.budget.gouv.fr/facture}Autre"
                case "attribute":
                    for name in [*element.attrib, "Autre"]:
                        element.set(name, "x")
                case _:
                    if len(element):
                        continue
                    element.text = change
            yield f"{etree.QName(element).localname} {change}", whole


@pytest.fixture(scope="module")
def schemas(shared: Path) -> tuple[etree.XMLSchema, etree.XMLSchema]:
    official = shared / "official" / "invoices" / "chorus" / "CPPFactureMixte_V1_16.xsd"
    return etree.XMLSchema(etree.parse(str(official))), etree.XMLSchema(etree.parse(str(OWN)))


def test_both_take_a_full_document_and_the_samples(schemas: tuple[etree.XMLSchema, etree.XMLSchema], shared: Path) -> None:
    theirs, ours = schemas
    theirs.assertValid(full())
    ours.assertValid(full())
    for path in sorted((shared / "corpus" / "invoices" / "pivot").glob("mixte*.xml")):
        tree = etree.parse(str(path), etree.XMLParser(huge_tree=True))
        assert theirs.validate(tree) == ours.validate(tree), path.name


def test_both_refuse_the_same_damages(schemas: tuple[etree.XMLSchema, etree.XMLSchema]) -> None:
    theirs, ours = schemas
    stories = [(story, theirs.validate(root), ours.validate(root)) for story, root in damaged(full())]
    assert len(stories) > 1_000
    assert {accepted for _, accepted, _ in stories} == {True, False}
    assert [(story, official) for story, official, own in stories if official != own] == []
