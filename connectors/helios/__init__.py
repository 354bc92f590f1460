"""The treasury's gateway (DGFiP, PASSTRANS): our side in ``client``, the other side in ``simulator``."""
