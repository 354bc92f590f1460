"""The command line: ``tabellion``."""
