"""Measurements that the command runs: throughput, latency, cost of spikes and memory of the Lava backends."""
