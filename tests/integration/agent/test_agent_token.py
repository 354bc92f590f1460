"""The agent and a token: whom it finds there, what it signs with, what goes wrong."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from pkcs11 import TokenFlag
from tabellion_agent import token as tokens
from tabellion_agent.errors import LockedPin, TokenProblem, WrongPin

from core import clock
from signing.algorithms import METHODS, method_of, value_holds
from signing.pki import TestAuthority
from tests.softhsm import MODULE, PIN, SoftToken, needs_softhsm

pytestmark = needs_softhsm


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority.create()


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    made = SoftToken(tmp_path / "softhsm")
    made.initialise()
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.configuration))
    return made


@pytest.mark.parametrize(("family", "bits"), [("rsa", 2048), ("ec", 256), ("ec", 384)])
def test_a_key_is_found_without_pin_and_signs_a_batch_in_one_login(
    token: SoftToken, authority: TestAuthority, family: str, bits: int
) -> None:
    token.hold(authority.seal("Camille Essai", family=family, bits=bits), "01", "maire")
    [identity] = tokens.identities([MODULE])
    assert identity.name == "Camille Essai"
    assert identity.chain == (authority.certificate,)
    method = METHODS[method_of(identity.certificate)]
    with tokens.unlocked(identity, PIN) as key:
        for number in range(10):
            octets = f"document {number}".encode()
            assert value_holds(identity.certificate, method, key.sign(octets), octets)


def test_certificates_that_may_not_sign_are_not_offered(token: SoftToken, authority: TestAuthority) -> None:
    now = clock.now()
    encipherment = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    token.hold(authority.seal("ancien", bits=2048, start=now - timedelta(days=9), end=now - timedelta(days=1)), "01", "a")
    token.hold(authority.seal("chiffrement", bits=2048, usage=encipherment), "02", "b")
    with pytest.raises(TokenProblem, match="aucun certificat"):
        tokens.identities([MODULE])
    token.hold(authority.seal("signature", bits=2048), "03", "c")
    assert [one.name for one in tokens.identities([MODULE])] == ["signature"]


def test_a_wrong_pin_is_said_and_the_right_one_still_opens(token: SoftToken, authority: TestAuthority) -> None:
    token.hold(authority.seal(family="ec", bits=256), "01", "maire")
    [identity] = tokens.identities([MODULE])
    for pin in ("111111", ""):
        with pytest.raises(WrongPin, match="faux"), tokens.unlocked(identity, pin):
            pass
    with tokens.unlocked(identity, PIN) as key:
        assert key.sign(b"octets")


def test_a_locked_pin_is_said_and_the_last_try_is_announced(token: SoftToken, authority: TestAuthority) -> None:
    token.hold(authority.seal(family="ec", bits=256), "01", "maire")
    token.raise_flag(TokenFlag.USER_PIN_FINAL_TRY)
    [identity] = tokens.identities([MODULE])
    assert identity.last_try
    token.raise_flag(TokenFlag.USER_PIN_LOCKED)
    with pytest.raises(LockedPin, match="bloqué"), tokens.unlocked(identity, PIN):
        pass


def test_a_token_pulled_out_is_said_and_serves_again_once_it_is_back(token: SoftToken, authority: TestAuthority) -> None:
    token.hold(authority.seal(family="ec", bits=256), "01", "maire")
    [identity] = tokens.identities([MODULE])
    with tokens.unlocked(identity, PIN) as key:
        assert key.sign(b"first")
        token.remove()
        with pytest.raises(TokenProblem, match="retiré"):
            key.sign(b"second")
    with pytest.raises(TokenProblem, match="retiré"), tokens.unlocked(identity, PIN):
        pass
    with pytest.raises(TokenProblem, match="Aucun jeton"):
        tokens.identities([MODULE])
    token.put_back()
    with tokens.unlocked(identity, PIN) as key:
        assert key.sign(b"third")


def test_a_token_folder_deleted_while_signing_is_said(token: SoftToken, authority: TestAuthority) -> None:
    token.hold(authority.seal(bits=2048), "01", "maire")
    [identity] = tokens.identities([MODULE])
    with tokens.unlocked(identity, PIN) as key:
        shutil.rmtree(token.folder / "tokens")
        with pytest.raises(TokenProblem, match="retiré"):
            key.sign(b"octets")


def test_a_library_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "spoilt.so").write_bytes(b"not a library")
    with pytest.raises(TokenProblem, match="module"):
        tokens.identities([tmp_path / "absent.so", tmp_path / "spoilt.so"])
