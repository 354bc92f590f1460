"""Archives: whole fonds given back."""
