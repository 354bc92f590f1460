"""ACTES: legal acts to the préfecture, and every message that follows."""
