"""What each document looks like and must satisfy by itself: schemas, numbered rules, readers and writers."""
