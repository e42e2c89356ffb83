"""Tables and documents, and the forms they take: terminal, Markdown, csv, LaTeX, one HTML page."""
