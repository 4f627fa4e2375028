"""The index of an archive: a database derived from its files, which can be deleted and built again from them at any time.

Nothing here knows of DIMSE. A front end, such as C-FIND or a web service, searches, locates and ingests by `Index`.
"""
