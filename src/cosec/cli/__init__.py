"""The command line: one verb per file. Knows only the public names of the other rooms."""
