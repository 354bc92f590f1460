"""Timestamps (RFC 3161): asking for them, verifying them, and an authority to try it all with."""
