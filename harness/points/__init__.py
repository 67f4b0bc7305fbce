"""What it is worth: checks and metrics become points, late days take some, people add theirs."""
