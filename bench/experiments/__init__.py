"""Experiments on moving bytes, decided by measurement. README.md has the questions and the results."""
