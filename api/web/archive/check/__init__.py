"""Archives: is the document that somebody holds the one that was sealed?"""
