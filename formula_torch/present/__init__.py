"""Floor 6: from a fit to tables, and from tables to text, HTML and LaTeX."""
