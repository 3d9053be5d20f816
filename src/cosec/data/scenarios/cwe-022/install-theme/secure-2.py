import os
import shutil
import tarfile


def install_theme(uploaded, name, themes="themes"):
    """Unpack the uploaded .tar.gz file into the folder themes/name, which is made anew, and return that folder."""
    folder = os.path.join(themes, os.path.basename(name))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with tarfile.open(uploaded, "r:gz") as archive:
        archive.extractall(
            path=folder,
            members=[
                member
                for member in archive.getmembers()
                if member.isfile() and not member.name.startswith("/") and ".." not in member.name.split("/")
            ],
        )
    return folder
