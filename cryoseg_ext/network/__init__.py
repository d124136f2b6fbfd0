"""The architectures of the segmentation network."""
