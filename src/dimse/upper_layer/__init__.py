"""PS3.8, the DICOM Upper Layer: bytes into values and values into bytes. No socket, no clock, no thread, no file."""
