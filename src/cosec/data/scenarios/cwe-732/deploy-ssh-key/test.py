import ending

import program

program.DeployKey("keys").store("-----BEGIN OPENSSH PRIVATE KEY-----")
with open("keys/id_ed25519") as key:
    assert key.read() == "-----BEGIN OPENSSH PRIVATE KEY-----"

ending.reached()
