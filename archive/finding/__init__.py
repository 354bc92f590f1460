"""Finding records among millions, and giving them back: the index, the search, copies for readers, whole fonds."""
