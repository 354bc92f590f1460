"""A key that lives in a token or a security module, reached through PKCS#11 (OASIS PKCS #11 v2.40 and later).

    ModuleAbsent (Misconfigured)    the library of the maker is not there, or cannot be loaded
    TokenAbsent (Unavailable)       no token of that label is in place
    TokenRemoved (Unavailable)      it was there, and went away or broke while signing
    TokenBusy (Unavailable)         another batch holds the library for too long
    PinWrong (NeedsOperator)        and how near the lock is, when the token tells
    PinLocked (NeedsOperator)       also when the last try alone is left: that one is a person's to spend
    KeyAbsent (Misconfigured)       no key that may sign, or several where one must be chosen

A login belongs to the whole process (PKCS#11, 5.6.8), and a library may be unsafe between threads: signers of one library take
turns, and each turn begins with ``C_Initialize`` and ends with ``C_Finalize``. So a token that was put back is seen again, and
nothing of it survives a fork. Keep a signer open for a batch: one login, as many signatures as needed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pkcs11
from cryptography import x509
from pkcs11 import Attribute, Mechanism, ObjectClass, TokenFlag

from core import clock
from core.errors import Misconfigured, NeedsOperator, Unavailable
from core.messages import Catalogue
from signing.algorithms import CERTIFICATE_FLAWS
from signing.keys.fitness import check_fit, may_sign, name_of

_messages = Catalogue("signing")

# DigestInfo of SHA-256 up to the digest itself (RFC 8017, 9.2, note 1).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_GONE = (
    pkcs11.DeviceError,
    pkcs11.DeviceRemoved,
    pkcs11.GeneralError,
    pkcs11.KeyHandleInvalid,
    pkcs11.ObjectHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)
"""What tokens answer when they are pulled out: the standard leaves the choice, and libraries use all of it."""

_LONGEST_TURN = 60.0
_turns: dict[Path, threading.Lock] = {}


class ModuleAbsent(Misconfigured):
    """The PKCS#11 library is not there, or is none."""


class TokenAbsent(Unavailable):
    """No token of that label is in place."""


class TokenRemoved(Unavailable):
    """The token went away, or answers no more."""


class TokenBusy(Unavailable):
    """Another signer of this process has held the library for as long as we wait."""


class PinWrong(NeedsOperator):
    """The token refuses the PIN. Never worth trying again by itself: each try brings the lock nearer."""


class PinLocked(NeedsOperator):
    """The PIN is locked, or one wrong try away from it."""


class KeyAbsent(Misconfigured):
    """No key and certificate on the token answer to what was asked, or several do."""


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Which key of which token.

    Attributes:
        module: the maker's PKCS#11 library.
        token: label of the token.
        pin: of its user.
        key_id: CKA_ID of the key; None where its label, or its being alone, is enough.
        key_label: CKA_LABEL of the key.
    """

    module: Path
    token: str
    pin: str = field(repr=False)
    key_id: bytes | None = None
    key_label: str | None = None


@dataclass(frozen=True, slots=True)
class Pkcs11Signer:
    """A key on a token that is open.

    Attributes:
        certificate: the certificate of the key, read from the token.
        chain: the authorities above it that the token holds, nearest first.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    _settings: TokenSettings
    _key: Any = field(repr=False)
    _mechanism: Mechanism
    _pin_each_time: bool

    @classmethod
    @contextmanager
    def open(cls, settings: TokenSettings) -> Iterator[Self]:
        """Log in, and give the signer for as long as the block lasts; other signers of the library wait for its end.

        Raises:
            ModuleAbsent, TokenAbsent, TokenBusy, TokenRemoved, PinWrong, PinLocked, KeyAbsent: see the module.
            KeyRefused: the certificate must not sign today.
        """
        with _library(settings.module) as library, _faults(settings):
            token = _token(library, settings)
            with _session(token, settings) as session:
                yield cls._found(session, token, settings)

    def sign(self, octets: bytes) -> bytes:
        """Return the raw value over the octets, with SHA-256.

        Raises:
            TokenRemoved: the token is gone, or fails.
        """
        data = octets if self._mechanism is Mechanism.SHA256_RSA_PKCS else hashlib.sha256(octets).digest()
        if self._mechanism is Mechanism.RSA_PKCS:
            data = _DIGEST_INFO + data
        again = {"pin": self._settings.pin} if self._pin_each_time else {}
        with _faults(self._settings):
            value: bytes = self._key.sign(data, mechanism=self._mechanism, **again)
            return value

    @classmethod
    def _found(cls, session: Any, token: pkcs11.Token, settings: TokenSettings) -> Self:
        certificates = _certificates(session)
        pairs = [
            (key, certificate)
            for key in list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
            for identifier, certificate in certificates
            if identifier == key.id and _asked_for(key, certificate, settings)
        ]
        if len(pairs) != 1:
            found = ", ".join(f"{name_of(certificate)} ({key.id.hex()}, {key.label})" for key, certificate in pairs)
            raise KeyAbsent(_messages("keys.several", found=found) if pairs else _messages("keys.no_key", token=settings.token))
        [(key, certificate)] = pairs
        check_fit(certificate, clock.now())
        others = [other for _, other in certificates]
        return cls(certificate, _above(certificate, others), settings, key, _mechanism(key, token), _pin_each_time(key))


@contextmanager
def _library(module: Path) -> Iterator[Any]:
    """Give the library, initialised for us alone."""
    turn = _turns.setdefault(module, threading.Lock())
    if not turn.acquire(timeout=_LONGEST_TURN):
        raise TokenBusy(_messages("keys.busy", module=module))
    try:
        try:
            library = pkcs11.lib(str(module))
        except pkcs11.PKCS11Error as error:
            raise ModuleAbsent(_messages("keys.module", module=module, detail=error)) from error
        try:
            yield library
        finally:
            with suppress(pkcs11.PKCS11Error):  # a token that was torn out may fail at this too
                library.finalize()
    finally:
        turn.release()


@contextmanager
def _faults(settings: TokenSettings) -> Iterator[None]:
    """Say in our words what the library answers."""
    try:
        yield
    except _GONE as error:
        raise TokenRemoved(_messages("keys.removed", token=settings.token)) from error
    except pkcs11.PKCS11Error as error:
        raise TokenRemoved(_messages("keys.fault", token=settings.token, detail=type(error).__name__)) from error


def _token(library: Any, settings: TokenSettings) -> pkcs11.Token:
    for slot in library.get_slots(token_present=True):
        with suppress(pkcs11.PKCS11Error):  # the reader beside ours may hold a card that this library cannot read
            token: pkcs11.Token = slot.get_token()
            if token.label == settings.token:
                return token
    raise TokenAbsent(_messages("keys.no_token", token=settings.token))


@contextmanager
def _session(token: pkcs11.Token, settings: TokenSettings) -> Iterator[pkcs11.Session]:
    if token.flags & TokenFlag.USER_PIN_LOCKED:
        raise PinLocked(_messages("keys.pin_locked", token=settings.token))
    if token.flags & TokenFlag.USER_PIN_FINAL_TRY:
        raise PinLocked(_messages("keys.pin_last", token=settings.token))
    try:
        session = token.open(user_pin=settings.pin)
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
        raise _refused(token.slot.get_token().flags, settings) from error
    except (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized) as error:
        raise PinLocked(_messages("keys.pin_locked", token=settings.token)) from error
    try:
        yield session
    finally:
        with suppress(pkcs11.PKCS11Error):  # closing what was torn out
            session.close()


def _refused(flags: TokenFlag, settings: TokenSettings) -> NeedsOperator:
    """Return what to say of a wrong PIN: how many tries are left is told by flags alone (PKCS#11, CK_TOKEN_INFO)."""
    if flags & TokenFlag.USER_PIN_LOCKED:
        return PinLocked(_messages("keys.pin_locked", token=settings.token))
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        return PinWrong(_messages("keys.pin_wrong_last", token=settings.token))
    return PinWrong(_messages("keys.pin_wrong", token=settings.token))


def _certificates(session: pkcs11.Session) -> list[tuple[bytes, x509.Certificate]]:
    """Return the certificates of the token that can be read, each with its CKA_ID."""
    found = []
    for held in list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})):
        with suppress(pkcs11.AttributeTypeInvalid, *CERTIFICATE_FLAWS):
            found.append((held[Attribute.ID], x509.load_der_x509_certificate(held[Attribute.VALUE])))
    return found


def _asked_for(key: Any, certificate: x509.Certificate, settings: TokenSettings) -> bool:
    if settings.key_id is None and settings.key_label is None:
        return may_sign(certificate)
    return settings.key_id in {None, key.id} and settings.key_label in {None, key.label}


def _above(certificate: x509.Certificate, others: list[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Return the issuers of a certificate among others, nearest first, by name; whether they signed it is checked elsewhere."""
    chain: list[x509.Certificate] = []
    below = certificate
    while issuer := next(
        (other for other in others if other.subject == below.issuer and other not in [certificate, *chain]), None
    ):
        chain.append(issuer)
        below = issuer
    return tuple(chain)


def _mechanism(key: Any, token: pkcs11.Token) -> Mechanism:
    if key.key_type is pkcs11.KeyType.EC:
        return Mechanism.ECDSA
    return Mechanism.SHA256_RSA_PKCS if Mechanism.SHA256_RSA_PKCS in token.slot.get_mechanisms() else Mechanism.RSA_PKCS


def _pin_each_time(key: Any) -> bool:
    """Tell whether the key wants the PIN before each signature (CKA_ALWAYS_AUTHENTICATE), as qualified devices often do."""
    try:
        return bool(key[Attribute.ALWAYS_AUTHENTICATE])
    except pkcs11.PKCS11Error:
        return False
