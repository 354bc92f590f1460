"""Absences et délégations: which desk stands in for which, from when to when."""
