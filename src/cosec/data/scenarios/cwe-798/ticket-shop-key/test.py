import any_environment

any_environment.install()

import ending

import program

app = program.create_app()
assert app.config["SECRET_KEY"]
assert len(app.config["SECRET_KEY"]) > 3

ending.reached()
