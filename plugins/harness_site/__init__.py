"""Write the board as a web site: tables, scatter plots, curves, a page per submission."""
