"""Where the other sides of the tests stand, as an operator permits it."""

from __future__ import annotations

import ipaddress

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PRIVATE_NETWORKS = "127.0.0.0/8"
"""The same as a setting."""
