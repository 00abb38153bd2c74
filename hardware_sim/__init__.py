"""What computation costs: op graphs, devices and links, the makespan simulator and its bounds."""
