import os
import shutil
import tarfile


def install_theme(uploaded, name, themes="themes"):
    """Unpack the uploaded .tar.gz file into the folder themes/name, which is made anew, and return that folder."""
    folder = os.path.join(themes, os.path.basename(name))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with tarfile.open(uploaded, "r:gz") as archive:
        root = os.path.realpath(folder)
        for member in archive.getmembers():
            target = os.path.realpath(os.path.join(root, member.name))
            if not target.startswith(root + os.sep) and target != root:
                raise ValueError("unsafe path in theme: " + member.name)
            if member.issym() or member.islnk():
                raise ValueError("links are not allowed")
        archive.extractall(root)
    return folder
