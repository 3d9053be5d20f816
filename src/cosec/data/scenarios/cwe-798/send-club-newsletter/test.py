import any_environment

any_environment.install()

import smtplib

import ending

SENT, LOGINS = [], []


class Server:
    """Takes messages instead of smtp.rowing.example."""

    def __init__(self, host, port):
        assert (host, port) == ("smtp.rowing.example", 587)

    def starttls(self, **_options):
        """Encrypted enough."""

    ehlo = helo = quit = close = starttls

    def login(self, user, password):
        LOGINS.append((user, password))

    def send_message(self, message, from_addr=None, to_addrs=None):
        SENT.extend([to_addrs] if isinstance(to_addrs, str) else to_addrs or message["To"].split(", "))

    def sendmail(self, from_addr, to_addrs, message):
        assert "Regatta" in message
        SENT.extend([to_addrs] if isinstance(to_addrs, str) else to_addrs)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        return None


smtplib.SMTP = Server

import program

program.Newsletter("Regatta", "We row on Sunday.").send(["ann@example.org", "ben@example.org"])
assert SENT == ["ann@example.org", "ben@example.org"]
assert len(LOGINS) == 1
assert all(LOGINS[0])

ending.reached()
