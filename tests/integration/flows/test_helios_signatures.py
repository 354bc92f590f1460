"""A PES that is about to leave, and is not signed as it must be: it waits for a person, and goes once that is mended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from api.simulators import Treasury
from core import clock
from core.configuration import Configuration, configure
from core.principal import PLATFORM
from flows.helios import settings
from flows.helios.intake import deposit
from flows.helios.settings import SEAL, HeliosSeal
from schemas.pes.sample import Authority, Sample, write_sample
from tests.conftest import MAIRIE, on_one_shape
from tests.pes_office import NAME, Office, office

__all__ = ["office"]


def sets_seal(office: Office, seal: HeliosSeal) -> None:
    with office.platform.database.writing(PLATFORM) as session:
        configure(session, office.platform.secrets, office.organisation.id, SEAL, seal)


def checked(office: Office) -> str:
    """Deposit a PES that nobody signed, and let it be checked."""
    path = office.folder / "unsigned.xml"
    write_sample(Sample(NAME, Authority(siret=MAIRIE)), path)
    with path.open("rb") as stream:
        dossier = deposit(office.platform, PLATFORM, office.organisation.id, stream, path.name).dossier.id
    assert office.attempt(dossier, "check").state == "checked"
    return dossier


@on_one_shape
def test_a_pes_whose_seal_was_withdrawn_since_its_check_waits_until_there_is_one(office: Office, played: Treasury) -> None:
    sets_seal(office, played.seal())
    dossier = checked(office)
    with office.platform.database.writing(PLATFORM) as session:
        session.delete(session.exec(select(Configuration).where(Configuration.name == SEAL)).one())
    stopped = office.attempt(dossier, "sign")
    assert (stopped.state, "n’est pas signé" in (stopped.parked or "")) == ("checked", True)
    sets_seal(office, played.seal())
    office.resume(dossier)
    assert office.attempt(dossier, "sign").state == "signed"


@on_one_shape
def test_a_seal_that_was_revoked_seals_nothing_that_leaves(office: Office, played: Treasury) -> None:
    seal = played.seal()
    day = clock.now() - timedelta(days=1)
    revoked = played.authority.revocations({seal.signer().certificate.serial_number: day}, at=day)
    (played.trust_dir / "revoked.crl").write_bytes(revoked.public_bytes(Encoding.DER))
    sets_seal(office, seal)
    dossier = checked(office)
    stopped = office.attempt(dossier, "sign")
    assert (stopped.state, "révoqué" in (stopped.parked or "")) == ("checked", True)
    sets_seal(office, played.seal())
    office.resume(dossier)
    assert office.attempt(dossier, "sign").state == "signed"


@on_one_shape
def test_a_seal_whose_certificate_has_ended_waits_for_another(
    office: Office, played: Treasury, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets_seal(office, played.seal())
    dossier = checked(office)
    later = clock.now() + timedelta(days=20 * 365)
    settings._opened.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        stopped = office.attempt(dossier, "sign")
    assert (stopped.state, "a expiré le" in (stopped.parked or "")) == ("checked", True)
    office.resume(dossier)
    assert office.attempt(dossier, "sign").state == "signed"
