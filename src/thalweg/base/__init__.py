"""What every stage uses: errors, dtypes, shapes, settings, source lines."""
