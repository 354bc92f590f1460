"""Keys on a token: what signs, and what a token answers when it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import TokenFlag

from core import clock
from signing.algorithms import METHODS, method_of, value_holds
from signing.keys import KeyOutOfDate
from signing.keys import pkcs11 as keys
from signing.keys.pkcs11 import Pkcs11Signer, TokenSettings
from signing.pki import Credential, TestAuthority
from tests.softhsm import MODULE, PIN, SoftToken, needs_softhsm

pytestmark = needs_softhsm


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credential: Credential, authority: TestAuthority) -> SoftToken:
    """A token with an RSA key and a key on P-256."""
    made = SoftToken(tmp_path / "softhsm")
    made.initialise()
    made.hold(credential, "01", "sceau")
    made.hold(authority.seal(family="ec", bits=256), "02", "maire")
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.configuration))
    return made


@pytest.fixture
def settings(token: SoftToken) -> TokenSettings:
    return TokenSettings(MODULE, token.label, PIN, key_label="sceau")


def holds(signer: Pkcs11Signer, value: bytes, octets: bytes) -> bool:
    return value_holds(signer.certificate, METHODS[method_of(signer.certificate)], value, octets)


def can_sign(settings: TokenSettings) -> bool:
    with Pkcs11Signer.open(settings) as signer:
        return holds(signer, signer.sign(b"octets"), b"octets")


@pytest.mark.parametrize(("label", "identifier", "length"), [("sceau", b"\x01", 256), ("maire", b"\x02", 64)])
def test_a_batch_is_signed_in_one_login(settings: TokenSettings, label: str, identifier: bytes, length: int) -> None:
    for asked in (replace(settings, key_label=label), replace(settings, key_label=None, key_id=identifier)):
        with Pkcs11Signer.open(asked) as signer:
            for number in range(20):
                octets = f"document {number}".encode()
                value = signer.sign(octets)
                assert len(value) == length
                assert holds(signer, value, octets)
                assert not holds(signer, value, b"another document")


def test_the_chain_that_the_token_holds_comes_with_the_key(settings: TokenSettings, authority: TestAuthority) -> None:
    with Pkcs11Signer.open(settings) as signer:
        assert signer.chain == (authority.certificate,)


def test_a_token_that_only_knows_plain_rsa_gives_the_same_value(settings: TokenSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pkcs11Signer.open(settings) as signer:
        hashed_by_the_token = signer.sign(b"octets")
    monkeypatch.setattr(keys, "_mechanism", lambda *_: pkcs11.Mechanism.RSA_PKCS)
    with Pkcs11Signer.open(settings) as signer:
        assert signer.sign(b"octets") == hashed_by_the_token


def test_no_pin_shows_in_a_representation(settings: TokenSettings) -> None:
    with Pkcs11Signer.open(settings) as signer:
        assert PIN not in repr(signer) + repr(settings)


def test_a_wrong_pin_is_refused_and_the_right_one_still_opens(settings: TokenSettings) -> None:
    with pytest.raises(keys.PinWrong, match="refusé"), Pkcs11Signer.open(replace(settings, pin="111111")):
        pass
    with pytest.raises(keys.PinWrong), Pkcs11Signer.open(replace(settings, pin="")):
        pass
    assert can_sign(settings)


def test_a_locked_pin_is_said_and_not_tried(settings: TokenSettings, token: SoftToken) -> None:
    token.raise_flag(TokenFlag.USER_PIN_LOCKED)
    with pytest.raises(keys.PinLocked, match="bloqué"), Pkcs11Signer.open(settings):
        pass


def test_the_last_try_is_left_to_a_person(settings: TokenSettings, token: SoftToken) -> None:
    token.raise_flag(TokenFlag.USER_PIN_FINAL_TRY)
    with pytest.raises(keys.PinLocked, match="qu’un essai"), Pkcs11Signer.open(settings):
        pass


@pytest.mark.parametrize(
    ("flag", "refusal", "words"),
    [
        (TokenFlag(0), keys.PinWrong, "quelques codes faux"),
        (TokenFlag.USER_PIN_FINAL_TRY, keys.PinWrong, "qu’un essai"),
        (TokenFlag.USER_PIN_LOCKED, keys.PinLocked, "bloqué"),
    ],
)
def test_after_a_wrong_pin_the_flags_of_the_token_tell_how_near_the_lock_is(
    settings: TokenSettings, flag: TokenFlag, refusal: type[Exception], words: str
) -> None:
    found = keys._refused(flag, settings)
    assert isinstance(found, refusal)
    assert words in str(found)


def test_a_token_pulled_out_while_signing_is_said_and_serves_again_once_it_is_back(
    settings: TokenSettings, token: SoftToken
) -> None:
    with Pkcs11Signer.open(settings) as signer:
        assert signer.sign(b"first")
        token.remove()
        with pytest.raises(keys.TokenRemoved, match="retiré"):
            signer.sign(b"second")
    with pytest.raises(keys.TokenAbsent, match="Branchez-le"), Pkcs11Signer.open(settings):
        pass
    token.put_back()
    assert can_sign(settings)


def test_a_token_a_module_or_a_key_that_is_not_there_is_named(settings: TokenSettings, tmp_path: Path) -> None:
    with pytest.raises(keys.TokenAbsent, match="autre jeton"), Pkcs11Signer.open(replace(settings, token="autre jeton")):
        pass
    with (
        pytest.raises(keys.ModuleAbsent, match=r"absent\.so"),
        Pkcs11Signer.open(replace(settings, module=tmp_path / "absent.so")),
    ):
        pass
    with pytest.raises(keys.KeyAbsent, match="aucune clé"), Pkcs11Signer.open(replace(settings, key_label="autre")):
        pass


def test_of_several_keys_one_must_be_chosen(settings: TokenSettings) -> None:
    with pytest.raises(keys.KeyAbsent) as refusal, Pkcs11Signer.open(replace(settings, key_label=None)):
        pass
    assert all(key in str(refusal.value) for key in ("(01, sceau)", "(02, maire)"))


def test_an_expired_certificate_does_not_sign(settings: TokenSettings, token: SoftToken, authority: TestAuthority) -> None:
    now = clock.now()
    old = authority.seal(bits=2048, start=now - timedelta(days=9), end=now - timedelta(days=1))
    token.hold(old, "03", "ancien")
    with pytest.raises(KeyOutOfDate), Pkcs11Signer.open(replace(settings, key_label="ancien")):
        pass


def test_another_signer_of_the_library_waits_no_longer_than_a_turn(
    settings: TokenSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_LONGEST_TURN", 0.05)
    with Pkcs11Signer.open(settings) as signer:
        with pytest.raises(keys.TokenBusy), Pkcs11Signer.open(settings):
            pass
        assert holds(signer, signer.sign(b"octets"), b"octets")
    assert can_sign(settings)


def test_a_process_that_forked_signs_after_its_parent_did(settings: TokenSettings) -> None:
    program = """
import os, sys
from pathlib import Path
from signing.keys.pkcs11 import Pkcs11Signer, TokenSettings
settings = TokenSettings(Path(sys.argv[1]), sys.argv[2], sys.argv[3], key_label="sceau")
def sign():
    with Pkcs11Signer.open(settings) as signer:
        return len(signer.sign(b"octets"))
assert sign() == 256
child = os.fork()
if child == 0:
    os._exit(0 if sign() == 256 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(settings.module), settings.token, settings.pin]
    ended = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
