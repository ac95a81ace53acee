"""Processes on the asynchronous protocol: a layer or a whole network, which answers messages of frames."""
