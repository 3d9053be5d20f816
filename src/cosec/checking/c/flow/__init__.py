"""Pointers and numbers of C functions, followed from statement to statement."""
