import argparse
import os


def save_token(token, path):
    """Write the access token to the file at path, which is made or replaced; other users of the machine never see it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(descriptor, token.encode())
    finally:
        os.close(descriptor)
