"""All-reduce: processes that train one model together, each on its own part of the data."""
