import logging
import socket

log = logging.getLogger("dome")


class Dome:
    """The dome of an observatory, which turns to the direction in degrees that a datagram holds."""

    def __init__(self, port=4040):
        self.azimuth = 0
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.bind(("", port))

    def receive(self):
        """Take one datagram and store its number as azimuth; return whether it was a number.

        What isn't a number is logged as a warning.
        """
        text = self.link.recv(64).decode("utf-8", errors="replace")
        try:
            self.azimuth = int(text)
        except ValueError:
            log.warning("cannot turn to " + text.strip().replace("\t", " "), exc_info=True)
        else:
            return True
        return False
