"""The certificates of the authority that stamped a head: from the operator's trust, or as they were kept with the journal.

Whom the operator believes today says nothing of years ago: a root that was removed meanwhile still stands in the segment under
lock that its head ends with, and whoever verifies decides for themselves.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from cryptography import x509

from archive.models import TreeHead, TreeSegment
from archive.places.places import places_of
from archive.proof.hashes import plain_name
from archive.proof.head import Head
from archive.proof.segment_file import SegmentAltered, read_segment
from archive.proof.segment_keys import fetch
from core.blobs import ObjectAltered, ObjectMissing
from core.errors import Misconfigured, Unavailable
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import verify_token
from signing.trust import TrustState, trust_store

_TROUBLES = (SegmentAltered, ObjectAltered, ObjectMissing, Misconfigured, Unavailable)


def chain_of(platform: Platform, head: TreeHead) -> tuple[x509.Certificate, ...]:
    """Return the certificates of the authority that stamped a head, as far as the operator's trust or its segment leads."""
    read = Head.read(head.head)
    trust = trust_store(platform.settings.trust_dir)
    status = verify_token(head.token, read.digest(), trust=trust, hash_name=plain_name(read.hash))
    return status.chain if status.trust is TrustState.TRUSTED else _kept(platform, head.size) or status.chain


def _kept(platform: Platform, size: int) -> tuple[x509.Certificate, ...]:
    """Return the certificates that the segment of a head was sealed with; none where no place gives it whole."""
    with platform.database.reading(PLATFORM) as session:
        row = session.get(TreeSegment, size)
    if row is None:
        return ()
    for place in places_of(platform):
        if place.name not in row.copies:
            continue
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            try:
                path, _ = fetch(place, row.key, row.copies[place.name], Path(folder), row.sha256)
                return read_segment(path, Path(folder)).certificates
            except _TROUBLES:
                continue  # the audit of the journal says of each what is wrong with it
    return ()
