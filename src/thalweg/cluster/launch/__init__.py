"""`thalweg launch`: the processes of a program, started, watched, and started again."""
