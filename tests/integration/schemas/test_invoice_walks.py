"""Rules find the same, in the same order, once their walks are taken out of them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from lxml import etree

from schemas.invoices.cii_writing import cii_of
from schemas.invoices.sample import sample
from schemas.invoices.stylesheets import EXTENDED_CTC, PROFILES, french_rules_of, life_cycle_rules, rules_of
from schemas.invoices.syntax import Root
from schemas.schematron.checking import Findings, Schematron
from schemas.schematron.process import NotApplied
from schemas.schematron.walks import without_walks
from tests.unit.schemas_invoices.documents import CDAR, UBL

AS_PUBLISHED = "<!DOCTYPE xsl:stylesheet>"
"""What has a document type is left as it is."""

HEAD = (
    '<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" '
    'xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:p="urn:p">'
    '<xsl:template match="text()" priority="-1"/>'
    '<xsl:template match="/"><svrl:schematron-output>'
    "<svrl:active-pattern><xsl:apply-templates/></svrl:active-pattern>"
    '<xsl:apply-templates select="/" mode="M1"/></svrl:schematron-output></xsl:template>'
    '<xsl:template match="text()" priority="-1" mode="M1"/>'
)
DOCUMENT = (
    b'<r xmlns:p="urn:p"><a n="1"><b n="2">x</b><b>]</b><a><c n="3"/></a></a><p:b/><b n="4"/>'
    b"<d/><e/><f/><g/><h/><i/><j/><k/><l/><m/></r>"
)


def rule(match: str, body: str = "", *, onward: str = "@*|*", priority: int = 1000) -> str:
    found = (
        f'<svrl:fired-rule context="x"/><svrl:failed-assert id="R{priority}" '
        'location="{string-join(ancestor-or-self::node()/name(), \'/\')}"><svrl:text><xsl:value-of select="."/>'
        f"{body}</svrl:text></svrl:failed-assert>"
    )
    going = f'<xsl:apply-templates select="{onward}" mode="M1"/>' if onward else ""
    return f'<xsl:template match="{match}" mode="M1" priority="{priority}">{found}{going}</xsl:template>'


def fallback(onward: str = "@*|*") -> str:
    return (
        '<xsl:template match="@*|node()" mode="M1" priority="-2">'
        f'<xsl:apply-templates select="{onward}" mode="M1"/></xsl:template>'
    )


def written(folder: Path, rules: str, before: str = "") -> Path:
    folder.mkdir()
    path = folder / "rules.xslt"
    path.write_text(f"{before}{HEAD}{rules}</xsl:stylesheet>", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        pytest.param(rule("b") + rule("a", priority=1001) + fallback(), 5, id="names"),
        pytest.param(rule("b[1]|b[.=']']/@n|@n") + fallback(), 6, id="predicates_and_attributes"),
        pytest.param(rule("p:b", onward="*") + rule("p:*", onward="*", priority=999) + fallback("*"), 1, id="prefixes"),
        pytest.param(rule("(a|r)/b|//c") + fallback(), 4, id="a_choice_of_steps"),
        pytest.param("".join(rule(one, priority=ord(one)) for one in "bcdefghijk") + fallback(), 12, id="many_names"),
        pytest.param(fallback(), 0, id="no_rule"),
    ],
)
def test_what_the_skeleton_compiled_goes_straight_and_finds_the_same(rules: str, found: int, tmp_path: Path) -> None:
    straight, published = written(tmp_path / "1", rules), written(tmp_path / "2", rules, AS_PUBLISHED)
    text = without_walks(straight)
    assert text is not None
    assert not [walk for walk in ('select="/"', 'select="@*|*"', 'select="*"', "fired-rule", "apply-templates/>") if walk in text]
    assert Schematron(straight).findings(DOCUMENT) == (told := Schematron(published).findings(DOCUMENT))
    assert told.total == found


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        pytest.param(rule("a", onward="") + rule("b") + fallback(), 2, id="a_rule_that_goes_no_further"),
        pytest.param(rule("b", "<xsl:value-of select='position()'/>") + fallback(), 3, id="a_rank_among_those_below"),
        pytest.param(rule("b/@n", onward="*") + fallback("*"), 0, id="attributes_that_are_not_reached"),
        pytest.param(rule("b", onward="*") + rule("@n", priority=1) + fallback(), 5, id="two_ways_onwards"),
        pytest.param(rule(".[self::r]") + fallback(), 1, id="a_pattern_without_a_name"),
        pytest.param(
            rule("p:b").replace("match", 'xmlns:p="urn:q" match', 1) + fallback(),
            0,
            id="a_prefix_that_means_something_else",
        ),
        pytest.param(rule("b") + fallback() + '<xsl:template match="b">x</xsl:template>', 3, id="a_rule_of_no_pattern"),
    ],
)
def test_what_the_skeleton_did_not_compile_is_left_as_it_is(rules: str, found: int, tmp_path: Path) -> None:
    straight, published = written(tmp_path / "1", rules), written(tmp_path / "2", rules, AS_PUBLISHED)
    text = without_walks(straight)
    assert text is None or '<xsl:apply-templates select="/" mode="M1"/>' in text
    assert Schematron(straight).findings(DOCUMENT) == (told := Schematron(published).findings(DOCUMENT))
    assert told.total == found


OFFICIAL = {
    "cii": (Root.CII, PROFILES[3].identifiers[0], cii_of(sample())),
    "minimum": (Root.CII, PROFILES[0].identifiers[0], cii_of(sample())),
    "extended": (Root.CII, PROFILES[4].identifiers[0], cii_of(sample())),
    "extended_ctc": (Root.CII, EXTENDED_CTC, cii_of(sample())),
    "ubl": (Root.UBL_INVOICE, "", UBL.encode()),
    "extended_ubl": (Root.UBL_INVOICE, EXTENDED_CTC, UBL.encode()),
}


@pytest.mark.parametrize("official", [*OFFICIAL, "french_cii", "french_ubl", "life_cycle"])
def test_official_rules_find_the_same_without_their_walks(official: str, tmp_path: Path) -> None:
    if official in OFFICIAL:
        root, identifier, document = OFFICIAL[official]
        (rules,) = rules_of(root, identifier, None)
    elif official == "life_cycle":
        rules, document = life_cycle_rules(), CDAR.encode()
    else:
        root, _, document = OFFICIAL[official.removeprefix("french_")]
        rules = french_rules_of(root)
    assert without_walks(rules.stylesheet) is not None
    published = Schematron(_as_published(rules.stylesheet, tmp_path))
    told = [_told(published, one) for one in _broken(document)]
    assert [_told(rules, one) for one in _broken(document)] == told
    assert sum(one.total for one in told if isinstance(one, Findings)) > 2


def _told(rules: Schematron, document: bytes) -> Findings | str:
    try:
        return rules.findings(document)
    except NotApplied as error:
        return error.reason


def _as_published(stylesheet: Path, folder: Path) -> Path:
    for beside in stylesheet.parent.glob("*codedb.xml"):
        (folder / beside.name).symlink_to(beside)
    told = stylesheet.read_text(encoding="utf-8")
    rest = told.partition("?>")[2] if told.startswith("<?xml") else told
    path = folder / "rules.xslt"
    path.write_text(AS_PUBLISHED + rest, encoding="utf-8")
    return path


def _broken(document: bytes) -> Iterator[bytes]:
    """Yield a document with some of what is no number emptied, or gone, or twice, or with an attribute of nobody's."""
    for kind in ("empty", "gone", "twice", "strange"):
        root = etree.fromstring(document)
        leaves = [one for one in root.iter(etree.Element) if not len(one) and not (one.text or "").replace(".", "").isdigit()]
        for leaf in leaves[::3]:
            above = leaf.getparent()
            assert above is not None
            if kind == "empty":
                leaf.text = " "
            elif kind == "gone":
                above.remove(leaf)
            elif kind == "twice":
                above.append(deepcopy(leaf))
            else:
                leaf.set("schemeID", "0000")
        yield etree.tostring(root, encoding="UTF-8", xml_declaration=False)
