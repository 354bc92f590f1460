"""The native REST API: deposits, dossiers, records. JSON, problem details (RFC 9457), bearer tokens."""
