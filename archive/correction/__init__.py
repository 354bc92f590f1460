"""Correcting by what rules a sealed record is kept and hidden; its package stays what was sealed."""
