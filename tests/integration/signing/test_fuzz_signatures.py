"""Signed documents, broken in every way that comes to mind: none is valid unless what is signed is as it was.

What is signed is read by other means than those of the verifiers: ``essences``. What is too much is refused in bounded memory.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asn1crypto import tsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from core.errors import TabellionError
from schemas.pes.sample import Sample, write_sample
from signing.asic.seal import AsicE
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pades.seal import Pades
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.timestamp.client import request
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.verification import verify
from signing.xades.seal import Xades, XadesDetached
from tests.integration.signing.breaking import broken_base64, broken_entries, broken_octets, broken_tree, revised, zipped
from tests.integration.signing.essences import Signed, of_container, of_message, of_pdf, of_pes, of_reply, of_xml, shown
from tests.integration.signing.hostile_files import hostile

DATA, OTHER_DATA = b"D\xc3\xa9lib\xc3\xa9ration no 12. " * 20, b"Arr\xc3\xaat\xc3\xa9 no 7. " * 20
EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
LIMIT = 1_500 << 20
CHILD = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from core.errors import TabellionError
from signing.verification import verify
data, *paths = map(Path, sys.argv[2:])
for path in paths:
    detached = data if path.suffix in (".p7s", ".tsr") else None
    try:
        told = verify(path, detached=detached, trust=None).verdict.value
    except TabellionError as error:
        told = type(error).__name__
    print(json.dumps([path.name, told]), flush=True)
"""


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, signer: Pkcs12Signer, tsa: TsaSimulator) -> dict[str, Signed]:
    """One of each kind that we sign."""
    folder = tmp_path_factory.mktemp("signed")
    data, other = folder / "data", folder / "other"
    data.write_bytes(DATA)
    other.write_bytes(OTHER_DATA)

    def message(how: Cades, source: Path) -> bytes:
        sign(how, source, folder / "message", signer)
        return (folder / "message").read_bytes()

    def container(*contents: bytes) -> bytes:
        entries = [(f"pièce {rank}.txt", content) for rank, content in enumerate(contents)]
        (folder / "files.zip").write_bytes(zipped(entries))
        sign(AsicE(), folder / "files.zip", folder / "container.asice", signer)
        return (folder / "container.asice").read_bytes()

    def flow(name: str, *, whole: bool) -> bytes:
        source, target = folder / f"{name}.xml", folder / f"{name}.signed.xml"
        write_sample(Sample(name, bordereaux=2, pieces=1, first_bordereau=101 if name == "ONE" else 201), source)
        seal(source, target, signer, SealContext(role="Maire", city="Saint-Exemple", postal_code="99000", whole=whole))
        return target.read_bytes()

    def tree(how: Xades | XadesDetached, source: Path) -> bytes:
        sign(how, source, folder / "signed.xml", signer)
        return (folder / "signed.xml").read_bytes()

    letters = [folder / "one.letter.xml", folder / "two.letter.xml"]
    for letter, text in zip(letters, ("Un <b>acte</b>", "Un <b>autre</b>"), strict=True):
        letter.write_text(f"<lettre Id='BRD101'><p V='1'>{text}</p><p V='2'/></lettre>", encoding="utf-8")

    def document(text: str) -> bytes:
        canvas = Canvas(str(folder / "document.pdf"), invariant=True)
        canvas.drawString(100, 700, text)
        canvas.save()
        sign(Pades(), folder / "document.pdf", folder / "signed.pdf", signer)
        return (folder / "signed.pdf").read_bytes()

    replies = [tsa.answer(request(hashlib.sha256(octets).digest(), nonce=7)) for octets in (DATA, OTHER_DATA)]
    tokens = [tsp.TimeStampResp.load(reply)["time_stamp_token"].dump() for reply in replies]
    return {
        "CAdES": Signed(message(Cades(), data), message(Cades(), other), data, of_message),
        "CAdES in PEM": Signed(message(Cades(pem=True), data), message(Cades(pem=True), other), data, of_message),
        "PAdES": Signed(document("Un texte"), document("Un autre"), None, of_pdf),
        "XAdES": Signed(tree(Xades(), letters[0]), tree(Xades(), letters[1]), None, of_xml),
        "detached XAdES": Signed(tree(XadesDetached(), data), tree(XadesDetached(), other), data, of_xml),
        "ASiC": Signed(container(DATA, b"annexe"), container(OTHER_DATA, b"annexe"), None, of_container),
        "PES": Signed(flow("ONE", whole=False), flow("TWO", whole=False), None, of_pes),
        "whole PES": Signed(flow("ONE", whole=True), flow("TWO", whole=True), None, of_pes),
        "token": Signed(tokens[0], tokens[1], data, of_message),
        "response": Signed(replies[0], replies[1], data, of_reply),
    }


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TsaSimulator]:
    simulator = TsaSimulator(tmp_path_factory.mktemp("tsa"))
    yield simulator
    simulator.stop()


@pytest.fixture(scope="module")
def believed(trust: TrustStore, tsa: TsaSimulator) -> TrustStore:
    return TrustStore.of([*trust.anchors, tsa.anchor])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken")


TREES = ("PES", "whole PES", "XAdES", "detached XAdES")
DETACHED = ("detached XAdES", "CAdES", "CAdES in PEM", "token", "response")
REFUSED = {"UnreadableInput", "MessageUnreadable", "TokenUnreadable", "ContainerUnreadable", "PdfUnreadable"}
KINDS = (*DETACHED, "PAdES", "ASiC", "PES", "whole PES", "XAdES")


def hold(one: Signed, octets: bytes, place: Path, believed: TrustStore) -> None:
    """Verify what was broken: refused, or else what is signed in it is what we signed."""
    path = place / "broken"
    path.write_bytes(octets)
    try:
        verdict = verify(path, detached=one.detached, trust=believed)
    except TabellionError:
        return
    if verdict.verdict is Belief.VALID:
        found = one.essence(octets)
        ours = one.essence(one.octets) | (set() if one.detached else one.essence(one.other))
        assert found
        assert found <= ours, found - ours


@pytest.mark.parametrize("kind", KINDS)
def test_as_it_was_signed_it_is_valid(signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str) -> None:
    one = signed[kind]
    (place / "broken").write_bytes(one.octets)
    assert verify(place / "broken", detached=one.detached, trust=believed).verdict is Belief.VALID
    assert one.essence(one.octets) != one.essence(one.other)


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(drawn=st.data())
def test_broken_octets_are_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str, drawn: st.DataObject
) -> None:
    one = signed[kind]
    hold(one, drawn.draw(broken_octets(one.octets, one.other)), place, believed)


@pytest.mark.parametrize("kind", ["CAdES in PEM", *TREES])
@EXAMPLES
@given(drawn=st.data())
def test_broken_base64_is_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str, drawn: st.DataObject
) -> None:
    hold(signed[kind], drawn.draw(broken_base64(signed[kind].octets)), place, believed)


@pytest.mark.parametrize("kind", TREES)
@EXAMPLES
@given(drawn=st.data())
def test_a_broken_tree_is_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str, drawn: st.DataObject
) -> None:
    hold(signed[kind], drawn.draw(broken_tree(signed[kind].octets)), place, believed)


@EXAMPLES
@given(drawn=st.data())
def test_a_container_with_broken_entries_is_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, drawn: st.DataObject
) -> None:
    one = signed["ASiC"]
    hold(one, drawn.draw(broken_entries(one.octets, one.other)), place, believed)


@EXAMPLES
@given(drawn=st.data())
def test_a_document_revised_after_its_signature_is_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, drawn: st.DataObject
) -> None:
    octets = drawn.draw(revised(signed["PAdES"].octets))
    (place / "revised").write_bytes(octets)
    try:
        verdict = verify(place / "revised", trust=believed)
    except TabellionError:
        return
    assert verdict.verdict is not Belief.VALID or shown(octets) == shown(signed["PAdES"].octets)


@pytest.mark.parametrize("kind", DETACHED)
@EXAMPLES
@given(drawn=st.data())
def test_a_signature_is_never_valid_over_broken_data(
    signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str, drawn: st.DataObject
) -> None:
    data = place / "data"
    data.write_bytes(drawn.draw(broken_octets(DATA, OTHER_DATA)))
    (place / "signature").write_bytes(signed[kind].octets)
    verdict = verify(place / "signature", detached=data, trust=believed)
    assert (verdict.verdict is Belief.VALID) == (data.read_bytes() == DATA)


def test_hostile_files_are_refused_in_bounded_memory(signed: dict[str, Signed], tmp_path: Path) -> None:
    files = hostile(signed)
    (tmp_path / "data").write_bytes(DATA)
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
    command = [sys.executable, "-c", CHILD, str(LIMIT), str(tmp_path / "data"), *(str(tmp_path / name) for name in files)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    told = dict(json.loads(line) for line in ran.stdout.splitlines())
    assert ran.returncode == 0, f"{[name for name in files if name not in told][:1]}: {ran.stderr[-3000:]}"
    assert told.keys() == files.keys()
    assert set(told.values()) <= {"invalid", "indeterminate", "unsigned"} | REFUSED, told
