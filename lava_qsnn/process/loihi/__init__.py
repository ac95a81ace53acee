"""Processes on the Loihi protocol: neurons and synapses, a network of them, and what feeds and records it."""
