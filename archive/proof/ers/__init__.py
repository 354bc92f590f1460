"""Evidence records (RFC 4998): proofs of a record's files that any tool of the standard verifies, renewed before they age."""
