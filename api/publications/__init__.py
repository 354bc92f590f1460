"""The public pages: acts that their collectivités have published, for anybody; nobody is known here, and no cookie is set."""
