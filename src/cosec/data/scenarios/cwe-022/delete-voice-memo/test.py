import os

import django
import ending
from django import visit

django.settings.MEDIA_ROOT = os.path.abspath("media")
os.makedirs("media/memos")
for memo in ("2024-05-01.ogg", "2024-05-02.ogg"):
    open(f"media/memos/{memo}", "w").close()

import program

assert visit(program.delete_memo, POST={"memo": "2024-05-01.ogg"}).status_code == 204
assert os.listdir("media/memos") == ["2024-05-02.ogg"]
assert visit(program.delete_memo, POST={"memo": "2024-05-09.ogg"}).status_code == 404

ending.reached()
