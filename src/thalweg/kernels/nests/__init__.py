"""Loop nests: what a kernel computes, over flat memory."""
