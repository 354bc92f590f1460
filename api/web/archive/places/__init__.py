"""“Lieux”: where the archive is kept, how it is watched, how old its proof is."""
