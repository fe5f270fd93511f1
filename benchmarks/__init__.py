"""What is timed, against what, and the results: see README.md in this folder."""
