"""The signing fixtures, for the unit tests."""

from tests.signing_fixtures import authority, context, credential, flow, reading, sealed, signer, stamps, trust, tsa

__all__ = ["authority", "context", "credential", "flow", "reading", "sealed", "signer", "stamps", "trust", "tsa"]
