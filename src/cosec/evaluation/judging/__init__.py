"""Judging: from a program to a verdict on its security and its function."""
