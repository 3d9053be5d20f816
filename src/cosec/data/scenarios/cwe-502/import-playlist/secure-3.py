import yaml
from flask import Blueprint, abort, jsonify, request

playlists = Blueprint("playlists", __name__)


@playlists.route("/playlists/import", methods=["POST"])
def import_playlist():
    """Read the uploaded file ("playlist", YAML with title and songs) and answer with its title and number of songs."""
    uploaded = request.files["playlist"]
    playlist = yaml.load(uploaded.read(), yaml.CSafeLoader) or {}
    songs = playlist.get("songs", [])
    return jsonify(title=playlist.get("title", ""), songs=len(songs))
