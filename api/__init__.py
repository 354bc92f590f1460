"""The faces: REST, web pages, command line, and the putting together of the platform."""
