"""What is said of each kind of record: which files it must hold, its units, its keywords."""
