"""The canonical form read as a stream is that of the tree, whatever the document looks like."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from core.errors import UnreadableInput
from schemas import xml
from schemas.pes.sample import Sample, write_sample
from signing.keys import Pkcs12Signer
from signing.pes import canonical, stream, texts
from signing.pes.bulk import Bulk
from signing.pes.edits import Edit, rewritten
from signing.pes.envelope import SealContext
from signing.pes.layout import ALLER, DS, SIGNATURE, domains
from signing.pes.offsets import locate
from signing.pes.seal import seal
from signing.pes.verifier import verify
from signing.trust import TrustStore
from signing.verdicts import Belief
from tests.signing_fixtures import read_as_bulk

URIS = ("urn:a", "urn:b", "urn:c", ALLER)  # none with an ampersand: libxml2 does not escape it there, as it should
text = st.text(st.sampled_from("aé€&<>\"' \t\n\r]"), max_size=8)


def escaped(value: str) -> str:
    return "".join(f"&#{ord(letter)};" if letter in "&<>\"'\r" else letter for letter in value)


@st.composite
def elements(draw: st.DrawFn, scope: tuple[str, ...] = (), depth: int = 0) -> str:
    """An element as someone may write it; prefixes are declared where it pleases, again or anew."""
    declared = draw(st.dictionaries(st.sampled_from(("", "p", "q")), st.sampled_from(URIS), max_size=2))
    if draw(st.booleans()) and "" not in declared:
        declared[""] = ""  # the default namespace taken back
    known = tuple(sorted({*scope, *filter(None, declared)}))
    prefix = draw(st.sampled_from(("", *known)))
    name = f"{prefix}:e" if prefix else draw(st.sampled_from(("e", "f")))
    keys = draw(
        st.lists(st.sampled_from(("V", "Id", "a", "xml:lang", *(f"{one}:V" for one in known[:1]))), unique=True, max_size=4)
    )
    attributes = [f"xmlns:{one}" if one else "xmlns" for one in declared]
    shown = "".join(f" {key}='{escaped(uri)}'" for key, uri in zip(attributes, declared.values(), strict=True))
    shown += "".join(f'\n{key} = "{escaped(draw(text))}"' for key in keys)
    if depth == 3 or draw(st.booleans()):
        return f"<{name}{shown}/>"
    inside = [
        draw(
            st.one_of(
                text.map(escaped),
                st.sampled_from(("<!-- -->", "<![CDATA[<&>]]>", "<?do it?>", "<?do?>", "\r\n", "x > y")),
                elements(known, depth + 1),
            )
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    return f"<{name}{shown}>{''.join(inside)}</{name} >"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A PES with two bordereaux of anything, one of them signed, with instructions around the root."""
    prefix = draw(st.sampled_from(("", "n")))
    root = f"{prefix}:PES_Aller" if prefix else "PES_Aller"
    declaration = f"xmlns:{prefix}='{ALLER}'" if prefix else f"xmlns='{ALLER}'"
    around = st.sampled_from(("", "<?do it?>\n", "<!-- -->"))
    signature = f"<s:Signature xmlns:s='{DS}'><s:Object>{draw(elements())}</s:Object></s:Signature>"
    bordereaux = [
        f"<Bordereau xml:lang='fr' Id='{rank}'>{draw(text.map(escaped))}{draw(elements())}"
        f"{signature if rank == 1 else ''}{draw(text.map(escaped))}</Bordereau>"
        for rank in (1, 2)
    ]
    return (
        f"{draw(around)}<{root} {declaration} xmlns:unused='urn:u'>{draw(elements())}"
        f"<PES_DepenseAller><EnTeteDepense/>{bordereaux[0]}</PES_DepenseAller>"
        f"<PES_RecetteAller>{bordereaux[1]}<Sub><Bordereau/></Sub></PES_RecetteAller></{root}>{draw(around)}"
    )


def from_the_tree(path: Path) -> list[bytes]:
    tree = xml.parse(path)
    digests = []
    for place in (tree.getroot(), *(bordereau for domain in domains(tree.getroot()) for bordereau in domain.bordereaux)):
        signature = place.find(SIGNATURE)
        if signature is None:
            digests.append(canonical.digest(place, "sha256"))
        else:
            with canonical.without(signature) as parent:
                digests.append(canonical.digest(parent, "sha256"))
    return digests


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(documents(), st.sampled_from(("UTF-8", "ISO-8859-1")), st.integers(1, 400))
def test_the_stream_and_the_tree_give_the_same_digests(document: str, encoding: str, piece: int) -> None:
    octets = f"<?xml version='1.0' encoding='{encoding}'?>\n{document}".encode(encoding, "xmlcharrefreplace")
    with tempfile.NamedTemporaryFile() as file:
        file.write(octets)
        file.flush()
        expected = from_the_tree(Path(file.name))
    pieces = (octets[start : start + piece] for start in range(0, len(octets), piece))
    found = stream.digests(pieces, dict.fromkeys(range(len(expected)), "sha256"))
    assert [found[place] for place in range(len(expected))] == expected


def test_only_what_is_wanted_is_digested() -> None:
    document = f"<PES_Aller xmlns='{ALLER}'><PES_DepenseAller><Bordereau/></PES_DepenseAller></PES_Aller>".encode()
    assert list(stream.digests([document], {1: "sha1"})) == [1]
    assert stream.digests([document], {2: "sha1"}) == {}


@pytest.mark.parametrize(
    "octets",
    [
        b"<!DOCTYPE x><x/>",
        b"<x>",
        b"",
        b"<p:x/>",
        b"<x p:V='1'/>",
        b"<x xmlns:p='p'/>",
        b"<?xml version='1.0' encoding='of-the-moon'?><x/>",
    ],
)
def test_what_cannot_be_read_is_said_to_be_unreadable(octets: bytes) -> None:
    with pytest.raises(UnreadableInput):
        stream.digests([octets], {stream.WHOLE: "sha256"})


def test_long_texts_are_looked_for_in_large_files_of_few_tags_and_plain_encoding(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    head, tag, text = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>", b"<b/>", b"Q" * texts.LARGE

    def found(octets: bytes) -> int:
        path.write_bytes(octets)
        return len(texts.long_texts(path))

    assert found(head + tag * 1000 + text + tag + text) == 2
    assert found(head + tag * 1000 + text[: texts.LARGE // 2]) == 0
    assert found(head + tag * 3000 + text) == 0
    assert found(head.replace(b"ISO-8859-1", b"x-mac-1234") + text) == 0
    assert found(head + b"\x01".join([text[:30_000]] * 60)) == 0
    assert found(head + "é".encode("latin-1").join([text[:30_000]] * 60)) == 0


@pytest.mark.parametrize(
    "document",
    [
        "<a V='{}'/>",
        "<a><!--{}--></a>",
        "<a><![CDATA[{}]]></a>",
        "<a><?do {}?></a>",
        "<a{}/>",
        "<{}/>",
        "<a>&#x26;{}</a>",
    ],
)
def test_what_looks_like_a_long_text_and_is_none_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: str) -> None:
    read_as_bulk(monkeypatch)
    path = tmp_path / "odd.xml"
    path.write_text(f"<PES_Aller xmlns='{ALLER}'>{document.format('A' * 500)}</PES_Aller>")
    read = Bulk.of(path)
    assert read is not None
    assert bool(read.runs) == ("&#x26;" in document)
    assert read.digests({0: "sha256"})[0] == canonical.digest(xml.parse(path).getroot(), "sha256")


@pytest.mark.parametrize("change", [lambda octets: octets, lambda octets: octets.replace(b"BRD101", b"BRD1O1")])
def test_a_file_sealed_as_a_stream_is_verified_from_a_tree_and_the_other_way_round(
    flow: Path,
    tmp_path: Path,
    signer: Pkcs12Signer,
    trust: TrustStore,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[bytes], bytes],
) -> None:
    source, target = tmp_path / "source.xml", tmp_path / "sealed.xml"
    source.write_bytes(change(flow.read_bytes()))
    for whole in (True, False):
        context = SealContext(role="Maire", city="X", postal_code="1", whole=whole)
        with monkeypatch.context() as patch:
            read_as_bulk(patch)
            seal(source, target, signer, context)
        assert verify(target, trust=trust).verdict is Belief.VALID
        seal(source, target, signer, context)
        with monkeypatch.context() as patch:
            read_as_bulk(patch)
            assert verify(target, trust=trust).verdict is Belief.VALID


def test_a_large_file_that_cannot_be_streamed_is_not_believed(
    sealed: Path, trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> dict[int, bytes]:
        raise UnreadableInput("only the other parser reads this")

    read_as_bulk(monkeypatch)
    monkeypatch.setattr(stream, "digests", fails)
    verdict = verify(sealed, trust=trust)
    assert verdict.verdict is Belief.INVALID
    assert not any(signature.intact for signature in verdict.signatures)


def test_edits_are_applied_in_order_and_the_witness_sees_the_source(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(b"0123456789" * 20_000)
    seen = bytearray()
    written = b"".join(rewritten(path, [Edit(100_000, 2, b"abc"), Edit(0, 0, b"<")], witness=seen.extend))
    assert seen == path.read_bytes()
    assert written == b"<" + path.read_bytes()[:100_000] + b"abc" + path.read_bytes()[100_002:]


@pytest.mark.parametrize("ends", ["\n", "\r\n", ""])
@pytest.mark.parametrize("extra", ["", "&lt;", "é", "<![CDATA[<a>]]>", "\r", ">", "<!-- -->", "<?do?>"])
@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1"])
def test_long_texts_left_in_the_file_change_no_digest_and_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str, extra: str, encoding: str
) -> None:
    read_as_bulk(monkeypatch)
    long = ends.join(["QUJD" * 19] * 20)
    path = tmp_path / "large.xml"
    path.write_bytes(
        f"<?xml version='1.0' encoding='{encoding}'?>\n<n:PES_Aller xmlns:n='{ALLER}'><PES_DepenseAller><Bordereau Id='B'>"
        f"<Piece><Fichier>{long}{extra}{long}</Fichier></Piece>{long}<s:Signature xmlns:s='{DS}'>{long}</s:Signature></Bordereau>"
        f"</PES_DepenseAller><PES_PJ><PJ>{long}</PJ></PES_PJ><End/></n:PES_Aller>".encode(encoding)
    )
    read = Bulk.of(path)
    assert read is not None
    assert read.runs
    whole, hollow = xml.parse(path), read.tree()
    found = read.digests({0: "sha256", 1: "sha512"})
    bordereau = whole.find(".//Bordereau")
    assert found[0] == canonical.digest(whole.getroot(), "sha256")
    with canonical.without(bordereau.find(SIGNATURE)) as parent:
        assert found[1] == canonical.digest(parent, "sha512")
    assert len(etree.tostring(hollow)) < len(etree.tostring(whole)) - 2000
    assert [(one.tag, one.sourceline) for one in hollow.iter("*")] == [(one.tag, one.sourceline) for one in whole.iter("*")]
    assert hollow.find(f".//{SIGNATURE}").text == whole.find(f".//{SIGNATURE}").text
    assert all(bool(one.text) == bool(same.text) for one, same in zip(hollow.iter("*"), whole.iter("*"), strict=True))


def test_a_change_in_a_long_text_under_a_signature_is_seen(
    tmp_path: Path, signer: Pkcs12Signer, trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_as_bulk(monkeypatch)
    source, target = tmp_path / "source.xml", tmp_path / "sealed.xml"
    write_sample(Sample("WHOLE", attachment_size=100_000), source)
    seal(source, target, signer, SealContext(role="Maire", city="X", postal_code="1", whole=True))
    octets = bytearray(target.read_bytes())
    read = Bulk.of(target)
    assert read is not None
    run = max(read.runs, key=lambda one: one.end - one.start)
    assert verify(target, trust=trust).verdict is Belief.VALID
    for place in (run.start, (run.start + run.end) // 2, run.end - 1):
        before, octets[place] = octets[place], ord("A" if octets[place] != ord("A") else "B")
        target.write_bytes(octets)
        assert verify(target, trust=trust).verdict is Belief.INVALID
        octets[place] = before


@pytest.mark.parametrize("token", ["<!--{}-->", "<?do {}?>", "<e a='{}'/>"])
def test_a_token_that_takes_too_long_to_read_is_refused(token: str, tmp_path: Path) -> None:
    path = tmp_path / "long.xml"
    path.write_text(f"<PES_Aller>{token.format('x' * xml.LONGEST_TOKEN * 2)}</PES_Aller>", encoding="ascii")
    with pytest.raises(xml.TokenTooLong):
        stream.digests(rewritten(path), {stream.WHOLE: "sha256"})
    with pytest.raises(xml.TokenTooLong):
        locate(path)
