"""How a project adopts the checks: its settings, what it leaves out, and the findings that it knows already."""
