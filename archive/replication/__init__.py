"""What a place lacks is brought there: a place that was added later, and one that was lost."""
