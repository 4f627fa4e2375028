"""What happens to a received instance: the names it gets on disk, and how it is kept."""
