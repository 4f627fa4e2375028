"""Measurements of dimse beside its peers: `make bench`, or `python -m bench`. README.md explains the results."""
