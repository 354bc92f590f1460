"""The web pages: rendered on the server, complete without JavaScript, each page a folder with its routes and templates."""
