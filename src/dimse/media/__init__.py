"""PS3.10, Media Storage and File Format: the head of a DICOM file, before the data set. The code is pure: bytes in, values out."""
