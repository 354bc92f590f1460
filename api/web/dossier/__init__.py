"""One dossier: where it stands, what is wrong with it, what it holds, what happened to it."""
