"""Packages that come from outside: looked into, checked, taken or refused."""
