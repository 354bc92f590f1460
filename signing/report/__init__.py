"""The report of a verification: for people as a page (HTML) or a document to print (PDF), for programs as JSON.

``facts`` holds what was found, ``content`` turns it into words once, and the other files only give these words a form.
"""
