"""Archive timestamps of CAdES, in their third version (ETSI EN 319 122-1, 5.5.3); older versions are not read.

One covers the content, the signature, and by an index of digests the certificates, lists and unsigned attributes that were there.
Both kinds of index are read: that of today (5.5.2), and that of TS 101 733, 6.4.2, which names whole attributes.

One that is not of this signature proves nothing, and is not called altered: messages that were not written in DER are met, which
tools then encode anew before they digest them.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Self

from asn1crypto import algos, cms, core

from core.messages import Catalogue
from signing.cades.method import HASHES
from signing.timestamp.parts import UNPARSED
from signing.timestamp.token import verify_stamp
from signing.trust import TrustState, TrustStore
from signing.verdicts import TimestampVerdict

_messages = Catalogue("signing")
ARCHIVE_TIMESTAMP = "0.4.0.1733.2.4"
_INDEX, _OLD_INDEX = "0.4.0.19122.1.5", "0.4.0.1733.2.5"
_SIGNED_FIELDS = ("version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm", "signature")


class _Digests(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.OctetString


class _ShortIndex(core.Sequence):  # type: ignore[misc]
    """ATSHashIndex without its algorithm, which is then SHA-256."""

    _fields: ClassVar = [("certificates", _Digests), ("lists", _Digests), ("attributes", _Digests)]


class _Index(core.Sequence):  # type: ignore[misc]
    """ATSHashIndexV3, and ATSHashIndex with its algorithm."""

    _fields: ClassVar = [("algorithm", algos.DigestAlgorithm), *_ShortIndex._fields]


class _Parts(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.Any


class Kept:
    """What stands beside the signatures of a message, certificates and lists as they are encoded; digested once for each hash."""

    def __init__(self, signed: cms.SignedData) -> None:
        self._signed = signed
        self.digests = functools.cache(self._digests)

    @property
    def content_type(self) -> bytes:
        """The DER of the type of the content."""
        return bytes(self._signed["encap_content_info"]["content_type"].dump())

    def _digests(self, name: str, hash_name: str) -> frozenset[bytes]:
        held = self._signed[name]
        return frozenset(_digest(one.dump(), hash_name) for one in ([] if isinstance(held, core.Void) else held))


@dataclass(frozen=True, slots=True)
class Archived:
    """The archive timestamps of a signature, and what they are over, the content apart.

    Attributes:
        tokens: their DER.
        kept: what stands beside the signatures.
        signed: the fields of the signature, as they are encoded.
        attributes: what an index may name of the unsigned attributes, by kind of index: each value after the identifier of its
            attribute, or each attribute, as they are encoded.
    """

    tokens: tuple[bytes, ...]
    kept: Kept
    signed: bytes
    attributes: Mapping[str, tuple[bytes, ...]]

    @classmethod
    def of(cls, info: cms.SignerInfo, unsigned: Mapping[str, Sequence[bytes]], kept: Kept) -> Self | None:
        """Return those of a signature; None when it has none.

        Args:
            info: the signature.
            unsigned: the DER of the values of its unsigned attributes, by dotted identifier.
            kept: what stands beside the signatures of its message.
        """
        tokens = tuple(unsigned.get(ARCHIVE_TIMESTAMP, ()))
        if not tokens:
            return None
        signed = b"".join(info[name].dump() for name in _SIGNED_FIELDS)
        values = tuple(core.ObjectIdentifier(name).dump() + value for name, held in unsigned.items() for value in held)
        whole = tuple(attribute.dump() for attribute in info["unsigned_attrs"])
        return cls(tokens, kept, signed, {_INDEX: values, _OLD_INDEX: whole})

    def verdicts(self, content: Any, trust: TrustStore | None, seen: datetime) -> tuple[TimestampVerdict, ...]:
        """Verify each of them.

        Args:
            content: gives the digest of what is signed, by the name that ``hashlib`` has for the hash.
            trust: authorities that are believed; None means nobody.
            seen: see ``verify_stamp``.
        """
        return tuple(self._verdict(token, content, trust, seen) for token in self.tokens)

    def _verdict(self, token: bytes, content: Any, trust: TrustStore | None, seen: datetime) -> TimestampVerdict:
        try:
            kind, index = _index_of(token)
            whole = self._holds(kind, index)
        except UNPARSED:
            return TimestampVerdict(None, None, False, TrustState.UNKNOWN, _messages("cades.archive_index"))

        def digest(hash_name: str) -> bytes:
            over = (self.kept.content_type, content(hash_name), self.signed, index.dump())
            return _digest(b"".join(over), hash_name)

        verdict = replace(verify_stamp(token, digest, trust=trust, seen=seen).as_verdict(), altered=False)
        if verdict.valid and not whole:
            return replace(verdict, valid=False, reason=_messages("cades.archive_gone"))
        return verdict

    def _holds(self, kind: str, index: Any) -> bool:
        """Tell whether all that an index names is there; what came afterwards is not in it."""
        name = "sha256" if isinstance(index, _ShortIndex) else str(index["algorithm"]["algorithm"].native)
        if name not in HASHES:
            raise ValueError(name)
        attributes = {_digest(one, name) for one in self.attributes[kind]}
        there = (self.kept.digests("certificates", name), self.kept.digests("crls", name), attributes)
        named = (index[part] for part in ("certificates", "lists", "attributes"))
        return all(_octets(asked) <= found for asked, found in zip(named, there, strict=True))


def _index_of(token: bytes) -> tuple[str, Any]:
    """Return the index in the unsigned attributes of a token, exactly one, and its kind."""
    (signer,) = cms.ContentInfo.load(token, strict=True)["content"]["signer_infos"]
    (found,) = [one for one in signer["unsigned_attrs"] if one["type"].dotted in {_INDEX, _OLD_INDEX}]
    kind, der = found["type"].dotted, found["values"].contents
    short = kind == _OLD_INDEX and len(_Parts.load(der, strict=True)) == len(_ShortIndex._fields)
    return kind, (_ShortIndex if short else _Index).load(der, strict=True)


def _octets(digests: Iterable[core.OctetString]) -> set[bytes]:
    return {bytes(one.native) for one in digests}


def _digest(octets: bytes, hash_name: str) -> bytes:
    return hashlib.new(hash_name, octets).digest()
