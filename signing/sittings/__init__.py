"""Sittings: one person signs several documents with one certificate, in one go (*séance de signature*).

A ticket opens a sitting once; the token that it is exchanged for is held by whoever has the key at hand. A certificate is bound,
the documents are prepared for it, the values come back, each document is completed alone: signed wholly, or not at all. What is
prepared lives in the database and the object store, so that any process can go on where another stopped. Who may open a sitting,
and what becomes of the signed documents, is decided above.
"""
