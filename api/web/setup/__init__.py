"""The administration's first page, the guided first set-up, the whole set-up as a file; the frame that these pages share."""
