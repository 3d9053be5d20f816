import argparse
import os


def save_token(token, path):
    """Write the access token to the file at path, which is made or replaced; other users of the machine never see it."""
