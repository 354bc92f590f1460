"""What needs no flow of archive services outside: settings that cannot be meant, forms, what the simulators keep."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from connectors.asalae.client import ACKNOWLEDGEMENT, REPLY, Asalae
from connectors.asalae.form import Form, Part
from connectors.asalae.settings import AsalaeSettings
from connectors.asalae.simulator import AsalaeSimulator
from connectors.sae.errors import TransferRefused
from connectors.vitam.client import Vitam
from connectors.vitam.settings import VitamSettings
from connectors.vitam.simulator import VitamSimulator
from core.addresses import AddressRefused
from flows.sae.settings import OutsideArchive, Seda
from tests.addresses import LOOPBACK
from tests.transfers import SENDER, Sip

ACCOUNT = AsalaeSettings(address="https://sae.example/restservices", login="web", password=SecretStr("secret"))
AGENCIES = {"archival_agency": "FRAD999", "transferring_agency": SENDER}


@pytest.mark.parametrize(
    "address", ["http://sae.example", "https://u:p@sae.example", "https://sae.example/?x=1", "ftp://sae.example", "sae.example"]
)
def test_an_address_that_is_not_plain_https_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="HTTPS"):
        AsalaeSettings(address=address, login="web", password=SecretStr("secret"))


def test_a_client_certificate_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValidationError, match="PKCS#12"):
        VitamSettings(
            address="https://vitam.example", client_certificate=SecretStr("bm9uZQ=="), tenant=1, access_contract="CONTRAT"
        )


@pytest.mark.parametrize("wrong", [{}, {"asalae": ACCOUNT, "kinds": {"unknown": "automatic"}}])
def test_settings_of_no_service_or_of_an_unknown_kind_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OutsideArchive.model_validate(AGENCIES | wrong)


def test_secrets_do_not_show() -> None:
    shown = repr(OutsideArchive(asalae=ACCOUNT, seda=Seda.V1_0, **AGENCIES))
    assert "secret" not in shown.replace("secretstr", "").replace("SecretStr", "")


def test_a_service_on_our_own_network_is_not_reached_unless_the_operator_permits_it(tmp_path: Path) -> None:
    with AsalaeSimulator(tmp_path / "asalae") as asalae, VitamSimulator(tmp_path / "vitam") as vitam:
        for ask in (Asalae(asalae.settings(), ()).versions, lambda: Vitam(vitam.settings(), ()).find("x")):
            with pytest.raises(AddressRefused, match="TABELLION_PRIVATE_NETWORKS"):
                ask()


def test_a_form_announces_the_octets_that_it_sends(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abcdefghij" * 50_000)
    form = Form((("name", "value"),), (Part.whole("a", "x", "text/plain", path), Part("b", "x", "text/plain", path, 7, 300_000)))
    body = b"".join(form)
    assert len(body) == form.size
    assert path.read_bytes()[7:300_007] in body


def test_the_simulated_service_forgets_nothing_and_takes_an_identifier_once(tmp_path: Path) -> None:
    sip = Sip()
    manifest, files = tmp_path / "b.xml", tmp_path / "a.tar.gz"
    manifest.write_bytes(sip.manifest(tmp_path))
    with tarfile.open(files, "w:gz") as tarred:
        for name, data in sip.files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tarred.addfile(entry, io.BytesIO(data))
    with AsalaeSimulator(tmp_path / "asalae") as asalae:
        Asalae(asalae.settings(), LOOPBACK).send(manifest, files)
    with AsalaeSimulator(tmp_path / "asalae") as asalae:
        client = Asalae(asalae.settings(), LOOPBACK)
        assert asalae.received == 1
        assert b"<ReplyCode>000</ReplyCode>" in (client.message(SENDER, sip.identifier, REPLY) or b"")
        assert client.message(SENDER, "inconnu", ACKNOWLEDGEMENT) is None
        with pytest.raises(TransferRefused, match="existe déjà"):
            client.send(manifest, files)


def test_the_simulated_service_refuses_files_that_are_not_those_of_the_manifest(tmp_path: Path) -> None:
    manifest, files = tmp_path / "b.xml", tmp_path / "a.tar.gz"
    manifest.write_bytes(Sip().manifest(tmp_path))
    with tarfile.open(files, "w:gz"):
        pass
    with AsalaeSimulator(tmp_path / "asalae") as asalae:
        client = Asalae(asalae.settings(), LOOPBACK)
        client.send(manifest, files)
        assert b"<ReplyCode>211</ReplyCode>" in (client.message(SENDER, Sip().identifier, REPLY) or b"")
