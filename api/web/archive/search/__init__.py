"""Archives: the home page, where records are found."""
