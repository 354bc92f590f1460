"""The second factor: one-time codes of an application (TOTP, RFC 6238), and recovery codes for the day the telephone is lost.

The shared secret is encrypted, recovery codes are kept as digests, and each code of either kind serves once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

import pyotp
from pydantic import BaseModel
from sqlalchemy import BigInteger, Column, delete, update
from sqlmodel import Field, Session, SQLModel, col, select

from core import clock
from core.configuration import configurations_of
from core.database import UtcDateTime
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.people import memberships
from core.secrets import Encrypted, SecretBox

RULE = "second_factor"
_messages = Catalogue("core")
_ISSUER = "Tabellion"
_STEP = 30
_AROUND = (-1, 0, 1)
_DIGITS = 6
_CODES = 10
# Without the letters and figures that are taken for one another; sixteen of them are 79 bits.
_SIGNS = "23456789abcdefghjkmnpqrstuvwxyz"
_SIGNS_OF_CODE = 16


class WrongCode(UsageError):
    """No code of this person, or one that has served."""


class SecondFactorRule(BaseModel):
    """Who must have a second factor in an organisation and below it: what is asked below adds to it, and lifts nothing."""

    everyone: bool = False
    roles: tuple[str, ...] = ()


class SecondFactor(SQLModel, table=True):
    """The application of a person.

    Attributes:
        encrypted: the shared secret.
        last_step: the interval of thirty seconds of the last code that served.
        confirmed: since when codes are asked for; None while the person is enrolling.
    """

    __tablename__ = "second_factor"

    person_id: str = Field(foreign_key="person.id", primary_key=True, max_length=26)
    encrypted: bytes = Field(sa_column=Column(Encrypted, nullable=False))
    last_step: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    confirmed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class RecoveryCode(SQLModel, table=True):
    """A recovery code that has not served."""

    __tablename__ = "recovery_code"

    digest: str = Field(primary_key=True, max_length=64)
    person_id: str = Field(foreign_key="person.id", max_length=26, index=True)


def is_on(session: Session, person_id: str) -> bool:
    """Tell whether codes are asked for."""
    found = session.get(SecondFactor, person_id)
    return found is not None and found.confirmed is not None


def is_required(session: Session, box: SecretBox, person_id: str) -> bool:
    """Tell whether an organisation of the person asks for a second factor, of everyone or of a role that the person holds."""
    return any(
        rule.everyone or membership.role in rule.roles
        for membership, organisation in memberships(session, person_id)
        for rule in (rule_at(session, box, organisation.id),)
    )


def rule_at(session: Session, box: SecretBox, organisation_id: str) -> SecondFactorRule:
    """Return the rule in force in an organisation: all that it and those above ask for."""
    own, above = rules_at(session, box, organisation_id)
    return _together([own, above])


def rules_at(session: Session, box: SecretBox, organisation_id: str) -> tuple[SecondFactorRule, SecondFactorRule]:
    """Return what an organisation asks for itself, and what those above it ask."""
    found = configurations_of(session, box, organisation_id, RULE, SecondFactorRule)
    own = found.pop(organisation_id, SecondFactorRule())
    return own, _together(found.values())


def _together(rules: Iterable[SecondFactorRule]) -> SecondFactorRule:
    asked = list(rules)
    roles = sorted({role for rule in asked for role in rule.roles})
    return SecondFactorRule(everyone=any(rule.everyone for rule in asked), roles=tuple(roles))


def begin(session: Session, box: SecretBox, person_id: str) -> str:
    """Return a fresh secret, in base32, for a person who enrols; one that was begun and not confirmed is forgotten.

    Raises:
        Conflict: a second factor is on already.
    """
    if is_on(session, person_id):
        raise Conflict(_messages("factor.on"))
    session.execute(delete(SecondFactor).where(col(SecondFactor.person_id) == person_id))
    secret = pyotp.random_base32()
    session.add(SecondFactor(person_id=person_id, encrypted=box.encrypt(secret.encode())))
    session.flush()
    return secret


def begun(session: Session, box: SecretBox, person_id: str) -> str | None:
    """Return the secret, in base32, of a person who is enrolling; None when nobody is, or the factor is on."""
    found = session.get(SecondFactor, person_id)
    return box.decrypt(found.encrypted).decode() if found and found.confirmed is None else None


def address_of(secret: str, email: str) -> str:
    """Return what the QR code says to the application: an ``otpauth`` address."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)


def confirm(session: Session, box: SecretBox, person_id: str, code: str) -> list[str]:
    """Turn the second factor on, once the application has given a right code; return the recovery codes, never shown again.

    Raises:
        WrongCode: the code is not one of the secret that was begun.
    """
    found = session.get(SecondFactor, person_id)
    if found is None or found.confirmed is not None or not _serves(session, box, found, code):
        raise WrongCode(_messages("factor.wrong"))
    found.confirmed = clock.now()
    return renew_recovery_codes(session, person_id)


def renew_recovery_codes(session: Session, person_id: str) -> list[str]:
    """Make ten recovery codes in place of those that are left, and return them: nothing will show them again."""
    session.execute(delete(RecoveryCode).where(col(RecoveryCode.person_id) == person_id))
    made = ["".join(secrets.choice(_SIGNS) for _ in range(_SIGNS_OF_CODE)) for _ in range(_CODES)]
    session.add_all([RecoveryCode(digest=_digest(person_id, code), person_id=person_id) for code in made])
    session.flush()
    return ["-".join(code[start : start + 4] for start in range(0, _SIGNS_OF_CODE, 4)) for code in made]


def recovery_codes_left(session: Session, person_id: str) -> int:
    """Return how many recovery codes have not served."""
    return len(session.exec(select(RecoveryCode.digest).where(RecoveryCode.person_id == person_id)).all())


def verify(session: Session, box: SecretBox, person_id: str, code: str) -> None:
    """Take a code of the application or a recovery code; it has served then.

    Raises:
        WrongCode: it is none of them, or it has served.
    """
    found = session.get(SecondFactor, person_id)
    given = "".join(sign for sign in code.lower() if sign.isalnum())
    if found is None or found.confirmed is None:
        raise WrongCode(_messages("factor.wrong"))
    if len(given) == _DIGITS and _serves(session, box, found, given):
        return
    mine = (col(RecoveryCode.digest) == _digest(person_id, given), col(RecoveryCode.person_id) == person_id)
    if session.execute(delete(RecoveryCode).where(*mine)).rowcount != 1:  # type: ignore[attr-defined]
        raise WrongCode(_messages("factor.wrong"))


def remove(session: Session, person_id: str) -> None:
    """Turn the second factor off, and forget its secret and its codes."""
    session.execute(delete(SecondFactor).where(col(SecondFactor.person_id) == person_id))
    session.execute(delete(RecoveryCode).where(col(RecoveryCode.person_id) == person_id))


def _serves(session: Session, box: SecretBox, factor: SecondFactor, code: str) -> bool:
    """Tell whether a code is that of now or of a neighbouring interval (RFC 6238, 5.2), and serves for the first time."""
    application = pyotp.HOTP(box.decrypt(factor.encrypted).decode())
    present, given = int(clock.now().timestamp()) // _STEP, "".join(filter(str.isdigit, code)).encode()
    steps = [present + shift for shift in _AROUND]
    right = [step for step in steps if hmac.compare_digest(application.at(step).encode(), given)]
    if not right:
        return False
    # In one statement: of two requests with the same code, one finds the step taken.
    mine = (col(SecondFactor.person_id) == factor.person_id, col(SecondFactor.last_step) < right[0])
    taken = session.execute(update(SecondFactor).where(*mine).values(last_step=right[0]))
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _digest(person_id: str, code: str) -> str:
    return hashlib.sha256(f"{person_id}:{code}".encode()).hexdigest()
