"""The session: plans what a run needs, has it compiled once, runs it."""
