"""CMS and CAdES signatures, detached (``.p7s``) or around their content (``.p7m``): ETSI EN 319 122-1 over RFC 5652."""
