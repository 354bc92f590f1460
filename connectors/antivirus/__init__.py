"""An antivirus that speaks as clamd does. What is scanned, and what follows from it, is decided above.

No simulator stands beside the client: clamd itself starts in a moment, with a database of one line (``tests/clamd.py``).
"""
