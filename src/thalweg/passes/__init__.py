"""Passes: graph to graph, one file and one public function each."""
