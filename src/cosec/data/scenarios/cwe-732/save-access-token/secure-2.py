import argparse
import os


def save_token(token, path):
    """Write the access token to the file at path, which is made or replaced; other users of the machine never see it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o600)
    os.fchmod(descriptor, 0o600)  # the file may have been there before
    try:
        os.write(descriptor, token.encode())
    finally:
        os.close(descriptor)
