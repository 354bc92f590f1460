"""XAdES in any XML but a PES, around its own data, or detached from a file (ETSI TS 101 903, EN 319 132-1; XMLDSig 1.1)."""
