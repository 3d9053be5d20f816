"""Copies in C: is there room for what is written, and is there an end to what is read?"""
