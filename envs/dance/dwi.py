"""Chart files of Dance With Intensity (``.dwi``)."""
