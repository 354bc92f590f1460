"""Documents that people look at: PDF, pictures, plain text. Their pages as images and as text, never their own code."""
