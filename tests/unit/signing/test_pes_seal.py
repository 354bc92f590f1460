"""Sealing a PES: what is signed, and above all what is not touched."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from schemas.pes.sample import Sample, write_sample
from signing.keys import KeyOutOfDate, Pkcs12Signer
from signing.pes import seal as sealing
from signing.pes.envelope import SealContext, build
from signing.pes.layout import SIGNATURE, domains
from signing.pes.seal import AlreadySigned, NotSealable, SourceChanged, UnsoundSeal, WrongValue, complete, prepare, seal
from signing.pes.verifier import verify
from signing.pki import TestAuthority
from signing.trust import TrustStore
from signing.verdicts import Belief

# odd on purpose: CRLF, single quotes, spaces in tags, a character reference, a comment, no flag, no Id
ODD = (
    "<?xml version='1.0' encoding='ISO-8859-1'?>\r\n"
    "<!-- exporté le lundi -->\r\n"
    "<n:PES_Aller xmlns:n='http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller'>\r\n"
    "<PES_DepenseAller><EnTeteDepense ><IdVer V='2' /></EnTeteDepense >\r\n"
    "<Bordereau\r\n><BlocBordereau><IdBord V = '101'/></BlocBordereau><!-- rien -->\t"
    '<Piece><Obj V="L&#8217;été > hiver"/></Piece>\r\n'
    "</Bordereau ></PES_DepenseAller>\r\n"
    "<PES_RecetteAller><EnTeteRecette><IdVer V='2'/><InfoDematerialisee  V = '0' /></EnTeteRecette>"
    "<Bordereau Id='BRD_1'><BlocBordereau><IdBord V='7'/></BlocBordereau></Bordereau>"
    "</PES_RecetteAller>\r\n</n:PES_Aller>\r\n"
).encode("iso-8859-1")
pytestmark = pytest.mark.usefixtures("reading")
SIGNATURES = re.compile(rb"<ds:Signature .*?</ds:Signature>", re.DOTALL)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.xml"
    path.write_bytes(ODD)
    return path


def test_every_bordereau_is_signed_and_covered(sealed: Path, trust: TrustStore) -> None:
    verdict = verify(sealed, trust=trust)
    assert verdict.verdict is Belief.VALID
    assert [signature.covers for signature in verdict.signatures] == ["bordereau BRD101", "bordereau BRD102"]
    assert {signature.level for signature in verdict.signatures} == {"EPES"}


@pytest.mark.parametrize("xades", ["1.1.1", "1.2.2"])
@pytest.mark.parametrize("whole", [False, True])
def test_no_byte_changes_but_signatures_flags_and_ids(
    odd: Path, signer: Pkcs12Signer, trust: TrustStore, xades: str, whole: bool
) -> None:
    target = odd.with_name("sealed.xml")
    context = SealContext(role="Adjointe déléguée", city="Bâle", postal_code="1", xades=xades, whole=whole)
    seal(odd, target, signer, context)
    written = target.read_bytes()
    bare, count = SIGNATURES.subn(b"", written)
    assert count == (1 if whole else 2)
    if whole:
        bare = bare.replace(b'<n:PES_Aller Id="PES_ALLER" ', b"<n:PES_Aller ", 1)
    else:
        bare = bare.replace(b'<Bordereau Id="BRD_1_1"\r\n>', b"<Bordereau\r\n>", 1)
    bare = bare.replace(b'<InfoDematerialisee V="1"/>', b"", 1)
    bare = bare.replace(b"<InfoDematerialisee  V = '1' />", b"<InfoDematerialisee  V = '0' />", 1)
    assert bare == ODD
    assert verify(target, trust=trust).verdict is Belief.VALID


def test_the_flag_is_raised_where_the_schema_wants_it(odd: Path, signer: Pkcs12Signer, context: SealContext) -> None:
    target = odd.with_name("sealed.xml")
    seal(odd, target, signer, context)
    root = etree.parse(target).getroot()
    assert [domain.dematerialised for domain in domains(root)] == [True, True]
    assert [child.tag for child in root.find("PES_DepenseAller/EnTeteDepense")] == ["IdVer", "InfoDematerialisee"]


def test_the_signature_is_the_last_child_of_what_it_signs(sealed: Path) -> None:
    for bordereau in etree.parse(sealed).getroot().iter("Bordereau"):
        assert bordereau[-1].tag == SIGNATURE


def test_values_may_come_later_from_elsewhere(flow: Path, signer: Pkcs12Signer, context: SealContext, tmp_path: Path) -> None:
    prepared = prepare(flow, signer.certificate, context)
    assert [slot.target for slot in prepared.slots] == ["BRD101", "BRD102"]
    values = {slot.identifier: signer.sign(slot.envelope.octets) for slot in prepared.slots}
    assert complete(prepared, values, tmp_path / "sealed.xml").verdict is Belief.INDETERMINATE


def test_a_value_of_another_key_is_refused(
    flow: Path, signer: Pkcs12Signer, authority: TestAuthority, context: SealContext, tmp_path: Path
) -> None:
    other = Pkcs12Signer.load(authority.seal(bits=2048).as_pkcs12("x"), "x")
    prepared = prepare(flow, signer.certificate, context)
    values = {slot.identifier: other.sign(slot.envelope.octets) for slot in prepared.slots}
    with pytest.raises(WrongValue, match="BRD101"):
        complete(prepared, values, tmp_path / "sealed.xml")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_value_is_refused(flow: Path, signer: Pkcs12Signer, context: SealContext, tmp_path: Path) -> None:
    with pytest.raises(WrongValue):
        complete(prepare(flow, signer.certificate, context), {}, tmp_path / "sealed.xml")


def test_a_source_changed_between_the_legs_is_refused(odd: Path, signer: Pkcs12Signer, context: SealContext) -> None:
    prepared = prepare(odd, signer.certificate, context)
    values = {slot.identifier: signer.sign(slot.envelope.octets) for slot in prepared.slots}
    odd.write_bytes(ODD.replace(b"hiver", b"neige"))
    with pytest.raises(SourceChanged):
        complete(prepared, values, odd.with_name("sealed.xml"))
    assert [path.name for path in odd.parent.iterdir()] == ["odd.xml"]


def test_what_is_written_is_verified_before_it_appears(
    flow: Path, signer: Pkcs12Signer, context: SealContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "build", lambda name, target, _, *rest: build(name, target, bytes(32), *rest))
    with pytest.raises(UnsoundSeal):
        seal(flow, tmp_path / "sealed.xml", signer, context)
    assert list(tmp_path.iterdir()) == []


def test_a_signed_file_is_not_signed_again(sealed: Path, signer: Pkcs12Signer, context: SealContext, tmp_path: Path) -> None:
    for attempt in (context, replace(context, whole=True)):
        with pytest.raises(AlreadySigned):
            seal(sealed, tmp_path / "again.xml", signer, attempt)


def test_only_the_bordereaux_that_lack_a_signature_are_signed(
    sealed: Path, signer: Pkcs12Signer, context: SealContext, trust: TrustStore, tmp_path: Path
) -> None:
    half = tmp_path / "half.xml"
    half.write_bytes(SIGNATURES.sub(b"", sealed.read_bytes(), count=1))
    assert verify(half, trust=trust).verdict is Belief.INVALID
    seal(half, tmp_path / "full.xml", signer, context)
    assert verify(tmp_path / "full.xml", trust=trust).verdict is Belief.VALID


def test_a_flow_of_attachments_alone_has_nothing_to_sign(signer: Pkcs12Signer, context: SealContext, tmp_path: Path) -> None:
    source = tmp_path / "pj.xml"
    write_sample(Sample("PJ"), source)
    source.write_bytes(re.sub(rb"<PES_DepenseAller>.*</PES_DepenseAller>\n", b"", source.read_bytes(), flags=re.DOTALL))
    assert prepare(source, signer.certificate, context).slots == ()
    assert seal(source, tmp_path / "sealed.xml", signer, context).verdict is Belief.UNSIGNED
    assert (tmp_path / "sealed.xml").read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Id='BRD_1'", b"Id='1BRD'"),
        (b"<IdBord V='7'/>", b"<IdBord V='7' Id='BRD_1'/>"),
        (b"<Bordereau Id='BRD_1'><BlocBordereau><IdBord V='7'/></BlocBordereau></Bordereau>", b"<Bordereau Id='BRD_1'/>"),
        (b"<IdVer V='2' /></EnTeteDepense >", b"</EnTeteDepense>"),
        (b"encoding='ISO-8859-1'", b"encoding='ISO-8859-15'"),
        (b"n:PES_Aller", b"n:PES_Retour"),
    ],
)
def test_what_cannot_carry_a_signature_is_refused(
    odd: Path, signer: Pkcs12Signer, context: SealContext, before: bytes, after: bytes
) -> None:
    source = ODD.replace(before, after)
    if after == b"</EnTeteDepense>":
        source = source.replace(b"<EnTeteDepense ></EnTeteDepense>", b"<EnTeteDepense/>")
    assert source != ODD
    odd.write_bytes(source)
    with pytest.raises(NotSealable):
        prepare(odd, signer.certificate, context)


def test_an_instruction_beside_the_root_forbids_a_signature_over_the_whole(
    odd: Path, signer: Pkcs12Signer, context: SealContext
) -> None:
    odd.write_bytes(ODD.replace(b"<!-- export", b"<?style sheet?><!-- export"))
    assert prepare(odd, signer.certificate, context).slots
    with pytest.raises(NotSealable):
        prepare(odd, signer.certificate, replace(context, whole=True))


def test_an_expired_certificate_does_not_seal(flow: Path, authority: TestAuthority, context: SealContext) -> None:
    start = authority.certificate.not_valid_before_utc
    expired = authority.seal(bits=2048, start=start, end=start + timedelta(hours=1))
    with pytest.raises(KeyOutOfDate):
        prepare(flow, expired.certificate, context)
