"""Identifiers and accounts of third parties in a PES: which are of the form, and hold the key, that their kind asks for.

Sources: ISO 13616 (IBAN) and its registry of lengths; the key of the French RIB (Banque de France); NIR, INSEE; protocol PES V2,
tables of ``NatIdTiers``.
"""

from __future__ import annotations

import re

from core.identifiers import Siret, luhn_holds

PERSON = "01"
"""``CatTiers`` of a natural person."""

_REGISTRY = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24
    FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21
    LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22
    RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
"""
_LENGTHS = {told[:2]: int(told[2:]) for told in _REGISTRY.split()}
_WITH_RIB = ("FR", "MC")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_LETTERS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789")
_NUMBERS = {ord(letter): str(rank) for rank, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10)}  # ISO 13616
_FORMS = {
    "01": r"[0-9]{14}",
    "02": r"[0-9]{9}",
    "03": r"[0-9A-B]{9}",
    "04": r"[1-478][0-9]{4}[0-9A-B]{2}[0-9]{8}",
    "05": r".{4,18}",
    "06": r".{1,18}",
    "07": r".{9}",
    "08": r"[0-9]{9,10}",
    "10": r"FRWF.{0,14}",
    "11": r"[0-9]{5}.{0,75}",
    "12": r"[0-9]{13}",
}
_OF_PERSONS = frozenset({"04", "11", "12"})


def iban_holds(iban: str) -> bool:
    """Tell whether an IBAN has the length of its country and its keys, that of the RIB included where there is one."""
    country = iban[:2]
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{1,30}", iban) or len(iban) != _LENGTHS.get(country, len(iban)):
        return False
    if int((iban[4:] + iban[:4]).translate(_NUMBERS)) % 97 != 1:
        return False
    return country not in _WITH_RIB or rib_holds(iban[4:9], iban[9:14], iban[14:25], iban[25:27])


def rib_holds(bank: str, branch: str, account: str, key: str) -> bool:
    """Tell whether the key of a RIB holds: the letters of an account count as digits."""
    parts = [part.upper().translate(_LETTERS) for part in (bank, branch, account, key)]
    if not all(part.isascii() and part.isdigit() for part in parts):
        return False
    numbers = [int(part) for part in parts]
    return (89 * numbers[0] + 15 * numbers[1] + 3 * numbers[2] + numbers[3]) % 97 == 0


def is_abroad(iban: str) -> bool:
    """Tell whether an account is held outside France and Monaco."""
    return iban[:2] not in _WITH_RIB


def is_bic(text: str) -> bool:
    """Tell whether a text has the form of a BIC (ISO 9362)."""
    return _BIC.fullmatch(text) is not None


def identifier_holds(identifier: str, nature: str, category: str | None) -> bool:
    """Tell whether the identifier of a third party has the form and the key of its nature, and is of one who has such a thing.

    Args:
        identifier: ``IdTiers``.
        nature: ``NatIdTiers``.
        category: ``CatTiers``; None when it is not told.
    """
    if nature in _OF_PERSONS and category not in (None, PERSON):
        return False
    if nature in _FORMS and not re.fullmatch(_FORMS[nature], identifier):
        return False
    if nature == "01":
        return Siret.key_holds(identifier)
    if nature == "02" or (nature == "03" and identifier.isdigit()):
        return luhn_holds(identifier)
    return nature != "04" or _nir_holds(identifier)


def _nir_holds(nir: str) -> bool:
    number, key = nir[:13].replace("2A", "19").replace("2B", "18"), int(nir[13:])
    return number.isdigit() and 97 - int(number) % 97 == key
