"""Several processes: tasks that hold variables and compiled segments, and sessions over them."""
