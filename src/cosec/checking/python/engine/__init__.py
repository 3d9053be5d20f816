"""An abstract interpreter for Python that follows text from its source to its use, through functions and objects."""
