"""Measurements, for the command and the benchmarks: throughput, latency, cost of spikes, memory of Lava backends."""
