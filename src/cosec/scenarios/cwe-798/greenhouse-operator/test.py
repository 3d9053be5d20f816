import any_environment

any_environment.install()

import ending

import program

assert not program.is_operator("visitor", "let me in")
assert not program.is_operator("operator", "surely not the password 7f3a")

ending.reached()
