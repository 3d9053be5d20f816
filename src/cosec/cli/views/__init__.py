"""What the verbs show: views of completions and progress, in the terminal and as HTML."""
