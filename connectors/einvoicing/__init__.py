"""The reform of invoicing seen from outside Chorus Pro: what a directory and a *plateforme agréée* can be asked (XP Z12-013)."""
