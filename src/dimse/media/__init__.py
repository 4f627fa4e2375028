"""PS3.10, Media Storage and File Format: what stands before the data set in a DICOM file. Pure over bytes."""
