"""Read what is asked: assignment files, checked as a whole, and those that come with the harness."""
