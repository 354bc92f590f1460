"""European trusted lists (ETSI TS 119 612), consumed offline: read, verified once, then kept in the trust folder."""
