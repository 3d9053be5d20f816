"""What the engine knows of a program: values, its functions and classes, the state of a run, call sites, text."""
