"""Reports: rates, intervals, tables and figures from recorded verdicts."""
