"""A trajectory model as tables: its summary with notes, broom's three tables, and the report."""
