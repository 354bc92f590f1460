"""A folder of the signing book: the document beside the decision."""
