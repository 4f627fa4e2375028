"""PS3.5, Data Structures and Encoding: what can be told of a data set without decoding it, and how it is re-encoded."""
