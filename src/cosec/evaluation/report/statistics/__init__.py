"""Statistics of reports: rates of verdicts, and bootstrap intervals."""
