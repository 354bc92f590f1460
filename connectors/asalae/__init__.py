"""as@lae, an archive service of Libriciel, by its REST interface."""
