import os

import ending

import program

os.mkdir("templates")
with open("templates/report.html", "w") as template:
    template.write("<ul>{% for r in readings %}<li>{{ r.station }}: {{ r.degrees }} {{ r.note }}</li>{% endfor %}</ul>")
program.write_report([{"station": "Pier", "degrees": 11, "note": "windy"}], "report.html")
with open("report.html") as page:
    assert page.read().strip() == "<ul><li>Pier: 11 windy</li></ul>"

ending.reached()
