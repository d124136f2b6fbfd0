"""A micrograph from its file to the one scale and contrast that the network knows."""
