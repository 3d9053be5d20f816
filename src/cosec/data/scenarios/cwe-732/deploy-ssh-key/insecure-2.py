import os
from pathlib import Path


class DeployKey:
    """The SSH key of a site's deployment, in a folder of its own."""

    def __init__(self, folder):
        self.path = Path(folder) / "id_ed25519"

    def store(self, private_key):
        """Write the private key, a str, to its file and restrict who may read the file."""
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(private_key)
        self.path.chmod(mode=0o666)
        return self.path
