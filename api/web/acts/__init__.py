"""Acts to the préfecture: the form that sends one, their list, the page of each with its letters, and how it is all connected."""
