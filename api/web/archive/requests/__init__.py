"""Archives: requests of readers, and the page on which a reader takes what was given."""
