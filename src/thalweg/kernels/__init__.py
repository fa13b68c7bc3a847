"""Formulas to loop nests to better loop nests: binding, fusion, packing, schedules, memory."""
