"""What signs octets: one small protocol, and a room for each place where a key may live.

A key in a PKCS#12 file, a token or a security module (``pkcs11``), a remote service (``csc``) are the same noun: something with
a certificate that turns octets into a signature value. Where keys are configured and who may use them is not decided here.

    KeyRefused (UsageError)
    ├── KeyUnreadable           not a PKCS#12, or another password
    ├── KeyTooWeak              RSA below 2048 bits, an unusual curve
    ├── KeyOutOfDate            its certificate is expired or not yet valid
    └── KeyNotForSigning        its certificate is for something else than signing
"""

from __future__ import annotations

from signing.keys.fitness import (
    KeyNotForSigning,
    KeyOutOfDate,
    KeyRefused,
    KeyTooWeak,
    check_fit,
    commits,
    key_usage,
    may_sign,
    name_of,
    reserved_for,
)
from signing.keys.pkcs12 import KeyUnreadable, Pkcs12Signer
from signing.keys.signer import Signer

__all__ = [
    "KeyNotForSigning",
    "KeyOutOfDate",
    "KeyRefused",
    "KeyTooWeak",
    "KeyUnreadable",
    "Pkcs12Signer",
    "Signer",
    "check_fit",
    "commits",
    "key_usage",
    "may_sign",
    "name_of",
    "reserved_for",
]
