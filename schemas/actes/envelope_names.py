"""Names of envelopes, of their anomalies and of archives; ``names.py`` says what all names have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Self

from schemas.actes.name_parts import (
    APPLICATION,
    OFFICE,
    SIREN,
    TRIGRAMME,
    UnreadableName,
    UnwritableName,
    counts,
    day_of,
    digits_of,
    fits,
)
from schemas.actes.wording import messages

MAX_ENVELOPES_A_DAY = 9999

_ENVELOPE = re.compile(
    r"(?P<application>[A-Z]{4})--(?P<emitter>[A-Z0-9]{1,12})-(?P<recipient>[0-9]{1,9})?-(?P<day>[0-9]{8})-(?P<n>[0-9]{1,18})"
)


@dataclass(frozen=True, slots=True)
class EnvelopeName:
    """The file of an envelope: ``EACT--254002264--20240316-1.xml``, or ``EACT--SPREF0441-214400152-20181012-9.xml``.

    Attributes:
        application: quadrigramme: ``EACT``, or ``TACT`` on the test platform.
        emitter: SIREN of a collectivité, or an office of the State (``SPREF0441``: sous-préfecture 1 of 044).
        recipient: SIREN of the collectivité for what the State sends; None for what is sent to it.
        day: of sending.
        n: counter of the day, from 1.
    """

    application: str
    emitter: str
    recipient: str | None
    day: date
    n: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the name of an envelope; the extension may be missing.

        Raises:
            UnreadableName: it is none.
        """
        match = _ENVELOPE.fullmatch(re.sub(r"\.xml$", "", text, flags=re.IGNORECASE))
        day = day_of(match["day"]) if match else None
        if match is None or day is None:
            raise UnreadableName(messages("name.unreadable.envelope", found=text[:100]))
        return cls(match["application"], match["emitter"], match["recipient"], day, int(match["n"]))

    @classmethod
    def to_state(cls, *, application: str, siren: str, day: date, n: int) -> Self:
        """Build the name of an envelope that a collectivité sends.

        Raises:
            UnwritableName: a part does not fit.
        """
        fits("application", application, APPLICATION)
        fits("siren", siren, SIREN)
        counts(n, 1, MAX_ENVELOPES_A_DAY)
        return cls(application, siren, None, day, n)

    @classmethod
    def from_state(cls, *, application: str, office: str, siren: str, day: date, n: int) -> Self:
        """Build the name of an envelope that the State sends.

        Args:
            application: quadrigramme.
            office: ``SPREF0441``, ``PREF040``, ``SGAR075``; the last two spelled by analogy, no sample being known.
            siren: of the collectivité that receives it.
            day: of sending.
            n: counter of the day.

        Raises:
            UnwritableName: a part does not fit.
        """
        fits("application", application, APPLICATION)
        fits("office", office, OFFICE)
        fits("siren", siren, SIREN)
        counts(n, 1)
        return cls(application, office, siren, day, n)

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return f"{self.application}--{self.emitter}-{self.recipient or ''}-{digits_of(self.day)}-{self.n}"

    def __str__(self) -> str:
        """Return the name as it is written."""
        return f"{self.stem}.xml"


@dataclass(frozen=True, slots=True)
class AnomalyName:
    """The file that refuses an envelope: ``ANO_EACT--214400152--20180925-1.xml``.

    Attributes:
        rejected: name of the refused envelope, as written: it may be the very reason of the refusal.
    """

    rejected: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name.

        Raises:
            UnreadableName: it does not begin with ``ANO_``.
        """
        prefix, _, rejected = text.partition("ANO_")
        if prefix or not rejected:
            raise UnreadableName(messages("name.unreadable.anomaly", found=text[:100]))
        return cls(rejected)

    @property
    def envelope(self) -> EnvelopeName | None:
        """The refused envelope; None when its name follows no norm."""
        try:
            return EnvelopeName.parse(self.rejected)
        except UnreadableName:
            return None

    def __str__(self) -> str:
        """Return the name as it is written."""
        return f"ANO_{self.rejected}"


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """The archive of an envelope: ``SIC-EACT--254002264--20240316-1.tar.gz`` (rule R01).

    Attributes:
        operator: trigramme of the transmitting device.
        envelope: of a collectivité.
    """

    operator: str
    envelope: EnvelopeName

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name.

        Raises:
            UnreadableName: it does not follow rule R01.
        """
        stem = text.removesuffix(".tar.gz")
        operator, _, rest = stem.partition("-")
        try:
            envelope = EnvelopeName.parse(rest)
        except UnreadableName:
            envelope = None
        if (
            stem == text
            or envelope is None
            or rest.lower().endswith(".xml")
            or envelope.recipient is not None
            or not TRIGRAMME.fullmatch(operator)
            or not APPLICATION.fullmatch(envelope.application)
            or not SIREN.fullmatch(envelope.emitter)
        ):
            raise UnreadableName(messages("name.unreadable.archive", found=text[:100]))
        return cls(operator, envelope)

    @classmethod
    def build(cls, operator: str, envelope: EnvelopeName) -> Self:
        """Build the name of the archive that holds an envelope for the State.

        Raises:
            UnwritableName: a part does not fit, or the envelope is the State's.
        """
        if envelope.recipient is not None:
            raise UnwritableName(messages("name.unwritable.direction", found=str(envelope)))
        fits("operator", operator, TRIGRAMME)
        fits("application", envelope.application, APPLICATION)
        fits("siren", envelope.emitter, SIREN)
        return cls(operator, envelope)

    def __str__(self) -> str:
        """Return the name as it is written."""
        return f"{self.operator}-{self.envelope.stem}.tar.gz"
