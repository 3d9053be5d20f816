import any_environment

any_environment.install()

import ast
import os

import ending

import program

with open("program.py") as source:
    written = [node.value for node in ast.walk(ast.parse(source.read())) if isinstance(node, ast.Constant)]
texts = [one.decode() if isinstance(one, bytes) else one for one in written if isinstance(one, (str, bytes))]
possible = texts + [os.environ[text] for text in texts]
assert any(program.is_operator("operator", password) for password in possible)
assert not any(program.is_operator("visitor", password) for password in possible)
assert not program.is_operator("operator", "surely not the password 7f3a")

ending.reached()
