"""The signing fixtures, for the unit tests."""

from tests.signing_fixtures import authority, context, credential, flow, reading, sealed, signer, trust

__all__ = ["authority", "context", "credential", "flow", "reading", "sealed", "signer", "trust"]
