"""What scripts need around a graph: flags, a main function, logging, files and tests."""
