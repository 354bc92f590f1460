"""Formats by name: what a signature says goes through JSON and back, and what is prepared is completed by another process."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from core import clock
from core.errors import UsageError
from schemas.pes.sample import Sample, write_sample
from signing import formats
from signing.asic.seal import AsicE
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import AlreadySigned, Format, Prepared, Signatory, SourceChanged, WrongValue, sign
from signing.pades.seal import Pades
from signing.pades.stamp import Place, Stamp
from signing.pes.envelope import SealContext
from signing.pes.format import Pes
from signing.pes.verifier import verify
from signing.trust import TrustStore
from signing.verdicts import Belief

COMPLETE = """
import base64, json, sys
from pathlib import Path
from signing.formats import format_named
from signing.legs import Prepared

told = json.loads(Path(sys.argv[1]).read_text())
prepared = Prepared.from_json(told["prepared"])
values = {name: base64.b64decode(value) for name, value in told["values"].items()}
source, draft, target = map(Path, sys.argv[2:])
verdict = format_named(prepared.format).complete(prepared, source, draft, values, target)
print(json.dumps(verdict.as_json()))
"""


@pytest.mark.parametrize(
    "how",
    [
        Pes(SealContext("Maire délégué", "Saint-Exemple", "99000", xades="1.1.1", whole=True)),
        Cades(level="T", pem=True, role="Maire"),
        AsicE(place="Saint-Exemple"),
        Pades(level="T", role="Maire", stamp=Stamp(place=Place(page=2, x=12.5, y=30)), certify=True),
    ],
    ids=lambda how: how.name,
)
def test_what_a_signature_says_goes_through_json_and_back(how: Format) -> None:
    stored = json.loads(json.dumps(formats.as_json(how)))
    assert formats.from_json(how.name, stored) == how


def test_what_comes_of_every_format_is_told() -> None:
    assert formats.MEDIA.keys() == formats.FORMATS.keys()
    assert all(name == kind.name for name, kind in formats.FORMATS.items())


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("wax", {}),
        ("pes", {}),
        ("pes", {"context": {"role": "Maire", "city": "X"}}),
        ("pes", {"context": {"role": "Maire", "city": "X", "postal_code": "99000", "ville": "Y"}}),
        ("cades", {"rôle": "Maire"}),
        ("cades", {"level": "LTA"}),
        ("cades", {"role": "Mai\x00re"}),
        ("cades", {"role": ["Maire"]}),
        ("pades", {"stamp": {"place": {"page": 1, "z": 3}}}),
        ("pades", {"evidence": {}}),
    ],
)
def test_what_no_format_understands_is_refused(name: str, context: dict) -> None:
    with pytest.raises(UsageError):
        formats.from_json(name, context)


def test_a_pes_prepared_here_is_completed_in_another_process(
    flow: Path, tmp_path: Path, signer: Pkcs12Signer, context: SealContext, trust: TrustStore
) -> None:
    draft, target = tmp_path / "draft", tmp_path / "signed.xml"
    prepared = Pes(context).prepare(flow, draft, Signatory(signer.certificate), clock.now())
    assert not draft.exists()
    values = {slot.identifier: base64.b64encode(signer.sign(slot.octets)).decode() for slot in prepared.slots}
    told = tmp_path / "told.json"
    told.write_text(json.dumps({"prepared": prepared.as_json(), "values": values}))
    said = subprocess.run(
        [sys.executable, "-c", COMPLETE, told, flow, draft, target], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    verdict = verify(target, trust=trust)
    assert verdict.verdict is Belief.VALID
    assert len(verdict.signatures) == len(values) == 2
    assert [found["intact"] for found in json.loads(said)["signatures"]] == [True, True]


def test_both_legs_give_what_the_seal_of_a_pes_gives(
    flow: Path, tmp_path: Path, signer: Pkcs12Signer, context: SealContext
) -> None:
    target = tmp_path / "signed.xml"
    sign(Pes(context), flow, target, signer)
    assert target.read_bytes().count(b"<ds:SignatureValue") == 2
    with pytest.raises(AlreadySigned):
        sign(Pes(context), target, tmp_path / "twice.xml", signer)


def test_what_was_prepared_is_bound_to_its_document_and_its_certificate(
    flow: Path, tmp_path: Path, signer: Pkcs12Signer, context: SealContext
) -> None:
    made = Pes(context).prepare(flow, tmp_path / "draft", Signatory(signer.certificate), clock.now())
    prepared = Prepared.from_json(json.loads(json.dumps(made.as_json())))
    values = {slot.identifier: signer.sign(slot.octets) for slot in prepared.slots}
    other, target = tmp_path / "other.xml", tmp_path / "signed.xml"
    write_sample(Sample("OTHER", bordereaux=2, pieces=2, dematerialised=False), other)
    with pytest.raises(SourceChanged):
        Pes.complete(prepared, other, tmp_path / "draft", values, target)
    one, *_ = values
    with pytest.raises(WrongValue):
        Pes.complete(prepared, flow, tmp_path / "draft", values | {one: values[one][::-1]}, target)
    with pytest.raises(WrongValue):
        Pes.complete(prepared, flow, tmp_path / "draft", {one: values[one]}, target)
    assert not target.exists()
