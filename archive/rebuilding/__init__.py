"""Making the database of the archive anew, from the store alone."""
