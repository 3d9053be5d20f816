# case: names that equal one of a folder's entries
import os
from pathlib import Path

from flask import abort, request

QUEUE, WALL = "/srv/queue", "/srv/wall"
ROOTS = [Path("/srv/queue"), Path("/srv/wall")]


def one_of_the_entries():
    photo = request.args["photo"]
    if any(entry.name == photo for entry in os.scandir(QUEUE)):
        os.rename(os.path.join(QUEUE, photo), os.path.join(WALL, photo))


def none_of_the_entries():
    photo = request.args["photo"]
    if not any(entry.is_file() and photo == entry.name for entry in os.scandir(QUEUE)):
        abort(404)
    os.remove(os.path.join(QUEUE, photo))


def filtered():
    photo = request.args["photo"]
    if any(True for entry in os.scandir(QUEUE) if entry.name == photo):
        os.remove(os.path.join(QUEUE, photo))


def first_of_them():
    photo = request.args["photo"]
    found = next((entry for entry in os.scandir(QUEUE) if entry.name == photo), None)
    if found is None:
        abort(404)
    os.remove(os.path.join(QUEUE, photo))


def first_of_them_or_another():
    photo = request.args["photo"]
    found = next((entry.name for entry in os.scandir(QUEUE) if entry.name == photo), photo)
    if found:
        os.remove(os.path.join(QUEUE, photo))  # expect: py/path-traversal


def listed():
    photo = request.args["photo"]
    if [entry for entry in os.listdir(QUEUE) if entry == photo]:
        os.remove(os.path.join(QUEUE, photo))


def one_of_the_roots():
    path = (Path(QUEUE) / request.args["photo"]).resolve()
    if any(path.is_relative_to(root) for root in ROOTS):
        path.unlink()


def another_name():
    photo = request.args["photo"]
    if any(entry.name == request.args["other"] for entry in os.scandir(QUEUE)):
        os.remove(os.path.join(QUEUE, photo))  # expect: py/path-traversal


def differs_from_one():
    photo = request.args["photo"]
    if any(entry.name != photo for entry in os.scandir(QUEUE)):
        os.remove(os.path.join(QUEUE, photo))  # expect: py/path-traversal


def lacks_one():
    photo = request.args["photo"]
    if any(part not in photo for part in ("..", "/")):
        os.remove(os.path.join(QUEUE, photo))  # expect: py/path-traversal


def lacks_all():
    photo = request.args["photo"]
    if not any(part in photo for part in ("..", "/", "\\")):
        os.remove(os.path.join(QUEUE, photo))


def one_character():
    photo = request.args["photo"]
    if any(letter == "a" for letter in photo):
        os.remove(os.path.join(QUEUE, photo))  # expect: py/path-traversal


def one_of_several():
    first, second = request.args["first"], request.args["second"]
    if any(name in os.listdir(QUEUE) for name in (first, second)):
        os.remove(os.path.join(QUEUE, second))  # expect: py/path-traversal


def not_found():
    photo = request.args["photo"]
    if any(entry.name == photo for entry in os.scandir(QUEUE)):
        return
    os.remove(os.path.join(QUEUE, photo))  # expect: py/path-traversal

# case: flags that remember a check
import os
import re
from flask import abort, request

DOCS = "/srv/docs"


def flag_in_a_loop():
    name = request.args["name"]
    found = False
    for entry in os.scandir(DOCS):
        if entry.name == name:
            found = True
            break
    if not found:
        abort(404)
    os.remove(os.path.join(DOCS, name))


def flag_without_break():
    name = request.args["name"]
    found = False
    for entry in os.scandir(DOCS):
        if entry.name == name:
            found = True
    if found:
        os.remove(os.path.join(DOCS, name))


def match_or_none():
    name = request.args["name"]
    match = None
    for entry in os.scandir(DOCS):
        if entry.name == name:
            match = entry
    if match is None:
        abort(404)
    os.remove(os.path.join(DOCS, name))


def flag_of_a_branch():
    name = request.args["name"]
    valid = False
    if re.fullmatch(r"[a-z]+", name):
        valid = True
    if not valid:
        abort(400)
    os.remove(os.path.join(DOCS, name))


def error_text():
    name = request.args["name"]
    error = None
    if not re.fullmatch(r"[a-z]+", name):
        error = "bad name"
    if error:
        abort(400)
    os.remove(os.path.join(DOCS, name))


def other_branch():
    name = request.args["name"]
    if re.fullmatch(r"[a-z]+", name):
        valid = True
    elif name in os.listdir(DOCS):
        valid = True
    else:
        valid = False
    if valid:
        os.remove(os.path.join(DOCS, name))


def one_letter():
    name = request.args["name"]
    valid = False
    for letter in name:
        if letter.isalnum():
            valid = True
            break
    if valid:
        os.remove(os.path.join(DOCS, name))  # expect: py/path-traversal


def one_letter_without_break():
    name = request.args["name"]
    valid = False
    for letter in name:
        if letter.isalnum():
            valid = True
    if valid:
        os.remove(os.path.join(DOCS, name))  # expect: py/path-traversal


def set_anyway():
    name = request.args["name"]
    valid = False
    if re.fullmatch(r"[a-z]+", name):
        valid = True
    if request.args.get("force"):
        valid = True
    if valid:
        os.remove(os.path.join(DOCS, name))  # expect: py/path-traversal


def other_text():
    name = request.args["name"]
    valid = False
    if re.fullmatch(r"[a-z]+", request.args["kind"]):
        valid = True
    if valid:
        os.remove(os.path.join(DOCS, name))  # expect: py/path-traversal


def wrong_way():
    name = request.args["name"]
    valid = False
    if re.fullmatch(r"[a-z]+", name):
        valid = True
    if not valid:
        os.remove(os.path.join(DOCS, name))  # expect: py/path-traversal


def never_asked():
    name = request.args["name"]
    valid = False
    if re.fullmatch(r"[a-z]+", name):
        valid = True
    print(valid)
    os.remove(os.path.join(DOCS, name))  # expect: py/path-traversal


def one_of_two():
    first, second = request.args["first"], request.args["second"]
    valid = False
    for name in (first, second):
        if name in os.listdir(DOCS):
            valid = True
    if valid:
        os.remove(os.path.join(DOCS, second))  # expect: py/path-traversal


def one_part():
    name = request.args["name"]
    valid = False
    for part in name.lstrip("/").split("/"):
        if part != "..":
            valid = True
            break
    if valid:
        os.remove(os.path.join(DOCS, name))  # expect: py/path-traversal
