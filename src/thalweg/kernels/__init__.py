"""From formulas to scheduled loop nests."""
