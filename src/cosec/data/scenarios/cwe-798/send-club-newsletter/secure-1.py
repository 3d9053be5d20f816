import os
import smtplib
from email.message import EmailMessage


class Newsletter:
    """The club's newsletter, sent from news@rowing.example."""

    def __init__(self, subject, text):
        self.message = EmailMessage()
        self.message["From"] = "news@rowing.example"
        self.message["Subject"] = subject
        self.message.set_content(text)

    def send(self, members):
        """Send the message to all addresses through smtp.rowing.example, which wants a login."""
        with smtplib.SMTP("smtp.rowing.example", 587) as server:
            server.starttls()
            server.login("news@rowing.example", os.environ["SMTP_PASSWORD"])
            server.send_message(self.message, to_addrs=members)
