"""PS3.5, Data Structures and Encoding: properties of a data set that are found without decoding it, and its re-encoding."""
