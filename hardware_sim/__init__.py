"""Time and memory on hardware: op graphs, devices, the makespan simulator, bounds and kernels."""
