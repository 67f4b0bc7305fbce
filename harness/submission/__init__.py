"""Take in what is handed in: folders, archives and bulk downloads become submissions of plain files."""
