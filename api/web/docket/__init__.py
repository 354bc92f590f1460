"""The docket of a folder: to be read on screen, taken as a file, printed with its documents."""
