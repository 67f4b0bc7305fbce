"""What is asked: assignment files, read and checked as a whole, and those that come with the harness."""
