import logging

from flask import Flask, request

app = Flask(__name__)


@app.post("/lifts/<lift>/faults")
def post_fault(lift):
    desk = FaultDesk(logging.getLogger("lifts"))
    return {"urgency": desk.report(lift, request.get_json()["text"])}


class FaultDesk:
    """Takes reports of broken lifts."""

    def __init__(self, log):
        self.log = log

    def report(self, lift, text):
        """Log the fault as an error; return its urgency, 1 where the word "stuck" is in the text and 2 elsewhere."""
        urgency = 1 if "stuck" in text.lower() else 2
        self.log.error("lift %s: %s", lift, text)
        return urgency
