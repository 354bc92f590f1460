"""Depositing a document by hand."""
