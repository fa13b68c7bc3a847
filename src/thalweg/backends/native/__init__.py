"""The native backend: kernels compiled for this machine, run by a team of threads."""
