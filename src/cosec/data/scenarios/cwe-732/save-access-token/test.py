import ending

import program

for token in ("3f2a-77", "9c"):
    program.save_token(token, "token")
    with open("token") as file:
        assert file.read().strip() == token

ending.reached()
