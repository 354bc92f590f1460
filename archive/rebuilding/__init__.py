"""Making the database of the archive anew, or bringing a restored backup forward, from the store alone."""
