"""The token plugged in here, through its maker's PKCS#11 library. The PIN goes to that library and nowhere else."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pkcs11 import Attribute, Mechanism, ObjectClass, TokenFlag

from tabellion_agent.errors import LockedPin, TokenProblem, WrongPin

# Where the makers of the tokens that French authorities deliver put their libraries; --module names any other.
_LINUX = (
    "/usr/lib/libeTPkcs11.so",  # Thales SafeNet (eToken, IDPrime)
    "/usr/lib64/libeTPkcs11.so",
    "/usr/lib/pkcs11/libIDPrimePKCS11.so",  # Thales IDPrime
    "/usr/lib/pkcs11/libgclib.so",  # Gemalto Classic Client
    "/usr/local/lib/libOcsCryptoki.so",  # IDEMIA AWP
    "/usr/lib/bit4id/libbit4xpki.so",  # Bit4id
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",  # OpenSC
    "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib64/opensc-pkcs11.so",
)
_WINDOWS = (
    r"C:\Windows\System32\eTPKCS11.dll",
    r"C:\Windows\System32\IDPrimePKCS1164.dll",
    r"C:\Program Files\Oberthur Technologies\AWP\DLLs\OcsCryptoki.dll",
    r"C:\Windows\System32\bit4xpki.dll",
    r"C:\Program Files\OpenSC Project\OpenSC\pkcs11\opensc-pkcs11.dll",
)
_MACOS = (
    "/usr/local/lib/libeTPkcs11.dylib",
    "/usr/local/lib/libIDPrimePKCS11.dylib",
    "/usr/local/lib/libOcsCryptoki.dylib",
    "/Library/OpenSC/lib/opensc-pkcs11.so",
)
KNOWN_MODULES = tuple(Path(path) for path in {"win32": _WINDOWS, "darwin": _MACOS}.get(sys.platform, _LINUX))

# DigestInfo of SHA-256 up to the digest itself (RFC 8017, 9.2, note 1).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_LEAST_RSA_BITS = 2048
_UNREADABLE = (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, pkcs11.PKCS11Error)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate of a token with which its holder may sign today.

    Attributes:
        module: the library that reaches it.
        token: label of the token, and its serial number.
        serial: the same.
        key_id: CKA_ID of the certificate and of its key.
        certificate: the certificate.
        chain: the authorities above it that the token holds, nearest first.
        last_try: whether a wrong PIN would now lock the token.
    """

    module: Path
    token: str
    serial: bytes
    key_id: bytes
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    last_try: bool

    @property
    def name(self) -> str:
        """Whose certificate it is."""
        return _common_name(self.certificate.subject)

    @property
    def described(self) -> str:
        """Whose it is, who issued it, until when."""
        issuer, end = _common_name(self.certificate.issuer), self.certificate.not_valid_after_utc
        return f"{self.name} — {issuer} — jusqu’au {end:%d/%m/%Y}"

    @property
    def der(self) -> bytes:
        """The certificate, in DER."""
        return self.certificate.public_bytes(Encoding.DER)


class Key:
    """A key of a token that is open."""

    def __init__(self, key: Any, mechanism: Mechanism, pin: str | None) -> None:
        self._key = key
        self._mechanism = mechanism
        self._pin_each_time = pin

    def sign(self, octets: bytes) -> bytes:
        """Return the value over the octets with SHA-256: RSA PKCS#1 v1.5, or ECDSA as ``r`` and ``s`` side by side.

        Raises:
            TokenProblem: the token is gone, or fails.
        """
        data = octets if self._mechanism is Mechanism.SHA256_RSA_PKCS else hashlib.sha256(octets).digest()
        if self._mechanism is Mechanism.RSA_PKCS:
            data = _DIGEST_INFO + data
        again = {"pin": self._pin_each_time} if self._pin_each_time is not None else {}
        try:
            value: bytes = self._key.sign(data, mechanism=self._mechanism, **again)
        except pkcs11.PKCS11Error as error:
            raise _gone(error) from error
        return value


def identities(modules: Iterable[Path]) -> list[Identity]:
    """Return with which certificates one may sign, of all tokens that these libraries reach; no PIN is needed.

    Raises:
        TokenProblem: no library can be loaded, no token is plugged in, or none holds a certificate that may sign.
    """
    loaded, tokens = 0, 0
    found: list[Identity] = []
    for module in modules:
        with suppress(TokenProblem), _library(module) as library:
            loaded += 1
            for token in _tokens(library):
                tokens += 1
                found += _identities(module, token)
    if not loaded:
        raise TokenProblem("Aucun module PKCS#11 ne se charge. Installez le logiciel de votre jeton, ou indiquez-le (--module).")
    if not tokens:
        raise TokenProblem("Aucun jeton n’est branché. Branchez votre jeton de signature, puis recommencez.")
    if not found:
        raise TokenProblem("Le jeton ne porte aucun certificat qui puisse signer aujourd’hui.")
    return found


@contextmanager
def unlocked(identity: Identity, pin: str) -> Iterator[Key]:
    """Give the key of an identity, for as long as the block lasts: one login, as many signatures as needed.

    Raises:
        WrongPin, LockedPin: see ``errors``.
        TokenProblem: the token is no longer there, or the key is not on it.
    """
    with _library(identity.module) as library:
        token = next((one for one in _tokens(library) if one.serial == identity.serial and one.label == identity.token), None)
        if token is None:
            raise TokenProblem("Le jeton a été retiré. Rebranchez-le, puis recommencez.")
        session = _login(token, pin)
        try:
            yield _key(session, token, identity, pin)
        finally:
            with suppress(pkcs11.PKCS11Error):  # closing what was torn out
                session.close()


@contextmanager
def _library(module: Path) -> Iterator[Any]:
    """Give a library, initialised for the block: a token plugged in since is seen, and one pulled out forgotten."""
    try:
        library = pkcs11.lib(os.fspath(module))
    except pkcs11.PKCS11Error as error:
        raise TokenProblem(f"Le module PKCS#11 {module} ne se charge pas. Installez le logiciel de votre jeton.") from error
    try:
        yield library
    finally:
        with suppress(pkcs11.PKCS11Error):
            library.finalize()


def _tokens(library: Any) -> Iterator[pkcs11.Token]:
    try:
        slots = library.get_slots(token_present=True)
    except pkcs11.PKCS11Error as error:
        raise _gone(error) from error
    for slot in slots:
        with suppress(pkcs11.PKCS11Error):  # the reader beside ours may hold a card that this library cannot read
            token: pkcs11.Token = slot.get_token()
            if token.flags & TokenFlag.TOKEN_INITIALIZED:
                yield token


def _identities(module: Path, token: pkcs11.Token) -> list[Identity]:
    try:
        with token.open() as session:
            certificates = _certificates(session)
    except pkcs11.PKCS11Error:
        return []
    others = [certificate for _, certificate in certificates]
    last_try = bool(token.flags & TokenFlag.USER_PIN_FINAL_TRY)
    return [
        Identity(module, token.label, token.serial, identifier, certificate, _above(certificate, others), last_try)
        for identifier, certificate in certificates
        if _may_sign(certificate)
    ]


def _certificates(session: pkcs11.Session) -> list[tuple[bytes, x509.Certificate]]:
    found = []
    for held in list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})):
        with suppress(*_UNREADABLE):
            found.append((held[Attribute.ID], x509.load_der_x509_certificate(held[Attribute.VALUE])))
    return found


def _may_sign(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is in force, its key strong enough, and its usage that of a signature; the platform decides."""
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        return False
    try:
        key = certificate.public_key()
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    except _UNREADABLE:
        return False
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
    )
    return strong and (usage.digital_signature or usage.content_commitment) and not usage.key_cert_sign


def _above(certificate: x509.Certificate, others: list[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    chain: list[x509.Certificate] = []
    below = certificate
    while issuer := next((one for one in others if one.subject == below.issuer and one not in [certificate, *chain]), None):
        chain.append(issuer)
        below = issuer
    return tuple(chain)


def _login(token: pkcs11.Token, pin: str) -> pkcs11.Session:
    locked = LockedPin("Le code PIN du jeton est bloqué. Débloquez-le avec le logiciel de son fabricant.")
    if token.flags & TokenFlag.USER_PIN_LOCKED:
        raise locked
    try:
        return token.open(user_pin=pin)
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
        flags = token.slot.get_token().flags
        if flags & TokenFlag.USER_PIN_LOCKED:
            raise locked from error
        left = " Attention : il ne reste qu’un essai avant le blocage." if flags & TokenFlag.USER_PIN_FINAL_TRY else ""
        raise WrongPin(f"Le code PIN est faux.{left}") from error
    except (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized) as error:
        raise locked from error
    except pkcs11.PKCS11Error as error:
        raise _gone(error) from error


def _key(session: pkcs11.Session, token: pkcs11.Token, identity: Identity, pin: str) -> Key:
    wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: identity.key_id}
    try:
        keys: list[Any] = list(session.get_objects(wanted))
        mechanisms = token.slot.get_mechanisms()
    except pkcs11.PKCS11Error as error:
        raise _gone(error) from error
    if not keys:
        raise TokenProblem("Le jeton porte ce certificat, mais pas sa clé. Choisissez un autre certificat.")
    key = keys[0]
    plain = Mechanism.SHA256_RSA_PKCS if Mechanism.SHA256_RSA_PKCS in mechanisms else Mechanism.RSA_PKCS
    return Key(key, Mechanism.ECDSA if key.key_type is pkcs11.KeyType.EC else plain, pin if _pin_each_time(key) else None)


def _pin_each_time(key: Any) -> bool:
    """Tell whether the key wants the PIN before each signature (CKA_ALWAYS_AUTHENTICATE): it is given again, typed once."""
    try:
        return bool(key[Attribute.ALWAYS_AUTHENTICATE])
    except pkcs11.PKCS11Error:
        return False


def _gone(error: pkcs11.PKCS11Error) -> TokenProblem:
    return TokenProblem(f"Le jeton a été retiré ou ne répond plus ({type(error).__name__}). Rebranchez-le, puis recommencez.")


def _common_name(name: x509.Name) -> str:
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(oid):
            return str(found[0].value)
    return name.rfc4514_string()
