"""The flows: the engine that runs them, and one room for each."""
