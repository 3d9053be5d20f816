"""Running cosec commands in other processes: the stages of a pipeline, and the ranks of a training run."""
