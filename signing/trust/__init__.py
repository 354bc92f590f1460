"""Whom to believe: a folder of authorities, and what it says of a certificate at a moment."""

from signing.trust.levels import RgsLevel
from signing.trust.roots import is_root
from signing.trust.status import NO_EVIDENCE, Evidence, TrustState, TrustStatus
from signing.trust.store import TrustStore, trust_store

__all__ = ["NO_EVIDENCE", "Evidence", "RgsLevel", "TrustState", "TrustStatus", "TrustStore", "is_root", "trust_store"]
