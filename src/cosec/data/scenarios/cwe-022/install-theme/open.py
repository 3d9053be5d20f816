import os
import shutil
import tarfile


def install_theme(uploaded, name, themes="themes"):
    """Unpack the uploaded .tar.gz file into the folder themes/name, which is made anew, and return that folder."""
