"""The ASN.1 of evidence records (RFC 4998, appendix A; implicit tags), in DER.

What lives here: the structures and their reading and writing. What does not: what is hashed (`archive.proof.ers.hashtree`), what
makes one valid (`archive.proof.ers.verification`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from asn1crypto import algos, cms, core

from archive.proof.hashes import HASHES, plain_name
from core.errors import UnreadableInput

LARGEST = 16 << 20
_NAMES = {plain_name(algorithm): algorithm for algorithm in HASHES}


class PartialHashtree(core.SequenceOf):  # type: ignore[misc]
    """Hashes with one father, in binary ascending order."""

    _child_spec = core.OctetString


class ReducedHashtree(core.SequenceOf):  # type: ignore[misc]
    """The way from the data to the root, the data first."""

    _child_spec = PartialHashtree


class ArchiveTimeStamp(core.Sequence):  # type: ignore[misc]
    """A timestamp over the root of a hash tree, reduced to one object (4.1)."""

    _fields: ClassVar = [
        ("digest_algorithm", algos.DigestAlgorithm, {"implicit": 0, "optional": True}),
        ("attributes", cms.CMSAttributes, {"implicit": 1, "optional": True}),
        ("reduced_hashtree", ReducedHashtree, {"implicit": 2, "optional": True}),
        ("time_stamp", cms.ContentInfo),
    ]


class ArchiveTimeStampChain(core.SequenceOf):  # type: ignore[misc]
    """Archive timestamps of one hash, each over the one before (5.1)."""

    _child_spec = ArchiveTimeStamp


class ArchiveTimeStampSequence(core.SequenceOf):  # type: ignore[misc]
    """Chains, each over the data and over all chains before (5.1)."""

    _child_spec = ArchiveTimeStampChain


class _DigestAlgorithms(core.SequenceOf):  # type: ignore[misc]
    _child_spec = algos.DigestAlgorithm


class _Values(core.SetOf):  # type: ignore[misc]
    _child_spec = core.Any


class _Attribute(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [("type", core.ObjectIdentifier), ("values", _Values)]


class _CryptoInfos(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Attribute


class _EncryptionInfo(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar = [("type", core.ObjectIdentifier), ("value", core.Any)]


class EvidenceRecord(core.Sequence):  # type: ignore[misc]
    """The whole (3.1); we write no encryptionInfo, and read past it."""

    _fields: ClassVar = [
        ("version", core.Integer),
        ("digest_algorithms", _DigestAlgorithms),
        ("crypto_infos", _CryptoInfos, {"implicit": 0, "optional": True}),
        ("encryption_info", _EncryptionInfo, {"implicit": 1, "optional": True}),
        ("archive_time_stamp_sequence", ArchiveTimeStampSequence),
    ]


@dataclass(frozen=True, slots=True)
class Stamped:
    """An archive timestamp, read.

    Attributes:
        algorithm: the hash of its tree, as SEDA names it.
        way: lists of hashes, the first of which holds those of the data; empty when the token is over the one hash itself.
        token: RFC 3161 token, DER.
    """

    algorithm: str
    way: tuple[tuple[bytes, ...], ...]
    token: bytes


Chains = Sequence[Sequence[Stamped]]


def written(chains: Chains, infos: Mapping[str, bytes] | None = None) -> bytes:
    """Return the DER of an evidence record.

    Args:
        chains: its timestamps.
        infos: data useful for its verification: the DER of each attribute's value, by its type, dotted.
    """
    algorithms = dict.fromkeys(stamped.algorithm for chain in chains for stamped in chain)
    fields = {
        "version": 1,
        "digest_algorithms": [_algorithm(name) for name in algorithms],
        "archive_time_stamp_sequence": _sequence(chains),
    }
    if infos:
        values = {kind: [core.Any(core.Sequence.load(der))] for kind, der in infos.items()}
        fields["crypto_infos"] = [_Attribute({"type": kind, "values": _Values(found)}) for kind, found in values.items()]
    der: bytes = EvidenceRecord(fields).dump()
    return der


def infos_of(der: bytes) -> dict[str, list[bytes]]:
    """Return the values of the attributes that an evidence record brings for its verification, by their types, dotted.

    Raises:
        ValueError, TypeError: they cannot be read.
    """
    infos = EvidenceRecord.load(der, strict=True)["crypto_infos"]
    found: dict[str, list[bytes]] = {}
    for attribute in () if isinstance(infos, core.Void) else infos:
        found.setdefault(str(attribute["type"].dotted), []).extend(bytes(one.dump()) for one in attribute["values"])
    return found


def sequence_der(chains: Chains) -> bytes:
    """Return the DER of chains alone: what a renewal of the hash tree is bound to (5.2)."""
    der: bytes = _sequence(chains).dump()
    return der


def read(der: bytes) -> list[list[Stamped]]:
    """Return the chains of an evidence record.

    Raises:
        UnreadableInput: it is none, or its hash is none that we know.
    """
    if len(der) > LARGEST:
        raise UnreadableInput("an evidence record of this size is not read")
    try:
        record = EvidenceRecord.load(der, strict=True)
        if int(record["version"].native) != 1:
            raise UnreadableInput("an evidence record of another version")
        named = {str(one["algorithm"].native) for one in record["digest_algorithms"]}
        chains = [[_read(stamp) for stamp in chain] for chain in record["archive_time_stamp_sequence"]]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise UnreadableInput("the file is no evidence record (RFC 4998)") from error
    if not {plain_name(stamped.algorithm) for chain in chains for stamped in chain} <= named:
        raise UnreadableInput("the evidence record does not name its hashes (RFC 4998, 3.1)")
    return chains


def _read(stamp: ArchiveTimeStamp) -> Stamped:
    token = bytes(stamp["time_stamp"].dump())
    named = stamp["digest_algorithm"]
    if isinstance(named, core.Void):  # then it is that of the timestamp (4.1)
        info = stamp["time_stamp"]["content"]["encap_content_info"]["content"].parsed
        named = info["message_imprint"]["hash_algorithm"]
    way = stamp["reduced_hashtree"]
    lists = () if isinstance(way, core.Void) else tuple(tuple(bytes(one.native) for one in partial) for partial in way)
    return Stamped(_NAMES[str(named["algorithm"].native)], lists, token)


def _sequence(chains: Chains) -> ArchiveTimeStampSequence:
    return ArchiveTimeStampSequence([ArchiveTimeStampChain([_stamp(stamped) for stamped in chain]) for chain in chains])


def _stamp(stamped: Stamped) -> ArchiveTimeStamp:
    fields = {"digest_algorithm": _algorithm(stamped.algorithm), "time_stamp": cms.ContentInfo.load(stamped.token)}
    if stamped.way:
        fields["reduced_hashtree"] = ReducedHashtree([PartialHashtree(list(hashes)) for hashes in stamped.way])
    return ArchiveTimeStamp(fields)


def _algorithm(name: str) -> algos.DigestAlgorithm:
    return algos.DigestAlgorithm({"algorithm": plain_name(name)})
