"""Tables about Python libraries: sources of untrusted text, sinks, and functions that clean it. Data only."""
