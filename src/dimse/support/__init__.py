"""Small helpers that know nothing of DICOM."""
