"""Measuring dimse beside its peers: `make bench`, or `python -m bench`. README.md says how to read what comes out."""
