import psycopg2


class PlaylistStore:
    """Playlists of all listeners, kept in PostgreSQL."""

    def __init__(self, dsn):
        self.connection = psycopg2.connect(dsn)

    def rename(self, playlist_id, new_title):
        """Give a playlist a new title."""
        cursor = self.connection.cursor()
        cursor.execute("UPDATE playlists SET title =