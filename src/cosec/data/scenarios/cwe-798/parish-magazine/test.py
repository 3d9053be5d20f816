import any_environment

any_environment.install()

import ftplib

import ending

FILES, LOGINS = {"magazine-11.pdf": b"%PDF-11"}, []


class Server:
    """Takes files instead of ftp.printshop.example."""

    def __init__(self, host="", user="", passwd="", acct="", **_options):
        assert host == "ftp.printshop.example"
        if user:
            self.login(user, passwd)

    def login(self, user="", passwd="", acct="", secure=True):
        LOGINS.append((user, passwd))

    def prot_p(self):
        """Encrypted enough."""

    auth = set_pasv = set_debuglevel = quit = close = lambda self, *_args: None

    def cwd(self, dirname):
        assert dirname in ("", ".", "/")

    def storbinary(self, cmd, fp, *_options, **_more):
        command, name = cmd.split()
        assert command.upper() == "STOR"
        FILES[name.lstrip("/")] = fp.read()
        return "226 Transfer complete."

    def nlst(self, *_paths):
        return list(FILES)

    def mlsd(self, path="", facts=()):
        return iter([(name, {"type": "file"}) for name in FILES])

    def retrlines(self, cmd, callback=print):
        assert cmd.upper().startswith("NLST")
        for name in FILES:
            callback(name)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        return None


ftplib.FTP_TLS = Server

import program

with open("summer.pdf", "wb") as written:
    written.write(b"%PDF-10")
assert list(program.hand_in_magazine("summer.pdf", 10)) == ["magazine-10.pdf", "magazine-11.pdf"]
assert FILES["magazine-10.pdf"] == b"%PDF-10"
assert LOGINS
assert all(user == "parish" and password for user, password in LOGINS)

ending.reached()
