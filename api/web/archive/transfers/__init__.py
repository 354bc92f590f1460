"""Packages handed over from outside: the list, one, the form that hands one over."""
