"""People, their roles, and the links that are handed over to them."""
