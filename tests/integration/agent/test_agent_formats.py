"""What every format of the platform prepares is what the agent admits."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from reportlab.pdfgen.canvas import Canvas
from tabellion_agent import octets
from tabellion_agent.errors import NotWhatWasShown
from tabellion_agent.protocol import Item

from core import clock
from schemas.pes.sample import Sample, write_sample
from signing.formats import FORMATS, from_json
from signing.legs import Signatory
from signing.pki import Credential, TestAuthority

CONTEXTS = {"pes": {"context": {"role": "Maire", "city": "Valmorin", "postal_code": "99000"}}}


@pytest.fixture(scope="module")
def credential() -> Credential:
    return TestAuthority.create().seal(family="ec", bits=256)


def document_for(form: str, folder: Path) -> Path:
    path = folder / "document"
    if form == "pes":
        write_sample(Sample("FLOW", bordereaux=2, pieces=1, dematerialised=False), path)
    elif form == "pades":
        canvas = Canvas(str(path))
        canvas.drawString(100, 700, "Arrêté")
        canvas.save()
    elif form == "asic-e":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("note.txt", "Texte")
    else:
        path.write_bytes(b"<note>Texte</note>")
    return path


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_what_a_format_prepares_for_this_certificate_is_admitted_and_nothing_cut_from_it(
    form: str, credential: Credential, tmp_path: Path
) -> None:
    source = document_for(form, tmp_path)
    how = from_json(form, CONTEXTS.get(form, {}))
    prepared = how.prepare(source, tmp_path / "draft", Signatory(credential.certificate), clock.now().replace(microsecond=0))
    item = Item("1", "Titre", form, prepared.sha256.hex(), source.stat().st_size)
    assert prepared.slots
    for slot in prepared.slots:
        octets.check(slot.octets, item, credential.certificate.public_bytes(Encoding.DER))
        for cut in (slot.octets[:-1], slot.octets[1:], slot.octets[:32]):
            with pytest.raises(NotWhatWasShown):
                octets.check(cut, item, credential.certificate.public_bytes(Encoding.DER))
