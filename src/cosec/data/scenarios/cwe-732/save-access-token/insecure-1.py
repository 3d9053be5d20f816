import argparse
import os


def save_token(token, path):
    """Write the access token to the file at path, which is made or replaced; other users of the machine never see it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("token")
    save_token(parser.parse_args().token, os.path.expanduser("~/.weather-token"))


if __name__ == "__main__":
    main()
