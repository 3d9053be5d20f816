"""Checkers: each looks for weaknesses in files; one a file, behind one small interface."""
