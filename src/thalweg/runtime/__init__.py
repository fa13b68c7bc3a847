"""What runs compiled programs: the thread team, and the cache of compiled kernels."""
