"""How bytes are best moved, decided by measurement: README.md has the questions and what came out."""
