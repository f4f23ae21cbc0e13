"""The table of tests/interop/tls.sh: servers of every kind, and what the daemon makes of each.

Each cell is the real program against a real server: `ilo-reaper list` with one iLO, once with the right pin and once
with a wrong one, by each adapter; and `ilo-reaper trust`. A cell is "ok" when the server got our first request, and
else names what the complaint must say. Under a wrong pin, and by `trust`, a server must get no byte of ours.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

OLD_TLS = "seems to speak only old TLS"
NO_PROOF = "did not prove that it has the certificate's key"
V1 = "shows an X.509 v1 certificate"
LEGACY = "legacy: true"
UNSIGNED = "none of the trusted authorities signed its certificate"
OWN_AUTHORITY = "signed itself as an authority"
DATES = "its certificate is not good today"

# Every cipher, also those that openssl refuses on its own.
ALL = ["-cipher", "ALL:@SECLEVEL=0"]

# name, certificate, options of the server, what rustls makes of it, what openssl makes of it, by a pin.
PINNED = [
    ("TLS 1.3, RSA 2048", "rsa2048", ["-tls1_3"], "ok", "ok"),
    ("TLS 1.3, ECDSA P-384", "p384", ["-tls1_3"], "ok", "ok"),
    ("TLS 1.2, ECDHE-RSA-GCM", "rsa2048", ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"], "ok", "ok"),
    ("TLS 1.2, RSA kx, AES256-GCM", "rsa2048", ["-tls1_2", "-cipher", "AES256-GCM-SHA384"], OLD_TLS, "ok"),
    ("TLS 1.2, RSA kx, AES256-SHA (CBC)", "rsa2048", ["-tls1_2", "-cipher", "AES256-SHA"], OLD_TLS, "ok"),
    ("TLS 1.2, ECDHE-RSA, CBC", "rsa2048", ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"], OLD_TLS, "ok"),
    ("TLS 1.2, DHE-RSA-GCM", "rsa2048", ["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"], OLD_TLS, "ok"),
    ("TLS 1.1", "rsa2048", ["-tls1_1", *ALL], OLD_TLS, "ok"),
    ("TLS 1.0", "rsa2048", ["-tls1", *ALL], OLD_TLS, "ok"),
    ("TLS 1.0, 1024 bits, SHA-1, X.509 v1", "oldest", ["-tls1", *ALL], OLD_TLS, "ok"),
    ("TLS 1.2, 1024 bits", "rsa1024", ["-tls1_2", *ALL], NO_PROOF, "ok"),
    ("TLS 1.3, 1024 bits", "rsa1024", ["-tls1_3", *ALL], NO_PROOF, "ok"),
    ("TLS 1.2, certificate signed by SHA-1", "sha1", ["-tls1_2", *ALL], "ok", "ok"),
    ("TLS 1.2, server signs only by SHA-1", "rsa2048", ["-tls1_2", "-sigalgs", "RSA+SHA1", *ALL], OLD_TLS, "ok"),
    ("TLS 1.2, X.509 v1", "v1", ["-tls1_2"], V1, "ok"),
    ("TLS 1.3, X.509 v1", "v1", ["-tls1_3"], V1, "ok"),
    ("TLS 1.2, expired", "expired", ["-tls1_2"], "ok", "ok"),
    ("TLS 1.2, negative serial number", "negative", ["-tls1_2"], "ok", "ok"),
    ("TLS 1.2, an authority's own", "authority", ["-tls1_2"], "ok", "ok"),
]

# The same for `{ ca: FILE }`, with the file.
SIGNED = [
    ("authority: the right one", "leaf", "authority", ["-tls1_2"], "ok", "ok"),
    ("authority: another one", "leaf", "rsa2048", ["-tls1_2"], UNSIGNED, UNSIGNED),
    ("authority: expired leaf", "expired", "authority", ["-tls1_2"], DATES, DATES),
    ("authority: the leaf itself, CA:TRUE", "authority", "authority", ["-tls1_2"], OWN_AUTHORITY, "ok"),
]

# A server without a certificate at all, which no pin fits.
ANONYMOUS = ["-nocert", "-tls1_2", "-cipher", "ADH-AES256-SHA:@SECLEVEL=0"]

ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
PASSWORD = "never-to-be-seen"
DEADLINE_S = 20


class Bench:
    """Certificates, and the place where the program runs."""

    def __init__(self, daemon: pathlib.Path, run: pathlib.Path):
        self.daemon, self.run = daemon, run
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True, mode=0o755)
        password = run / "password"
        password.write_text(PASSWORD)
        password.chmod(0o600)
        self.authority()
        self.own("rsa2048", ["rsa:2048"])
        self.own("p384", ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"])
        self.own("rsa1024", ["rsa:1024"])
        self.own("sha1", ["rsa:2048"], ["-sha1"])
        self.own("negative", ["rsa:2048"], ["-set_serial", "-5"])
        self.request("v1", ["rsa:2048"])
        # Without extensions openssl makes a certificate of version 1.
        self.openssl("x509", "-req", "-in", self.csr("v1"), "-signkey", self.key("v1"), "-days", "99", "-out",
                     self.pem("v1"))
        self.request("oldest", ["rsa:1024"])
        self.openssl("x509", "-req", "-sha1", "-in", self.csr("oldest"), "-signkey", self.key("oldest"), "-days", "99",
                     "-out", self.pem("oldest"))

    def openssl(self, *args) -> bytes:
        made = subprocess.run(["openssl", *map(str, args)], capture_output=True)
        if made.returncode != 0:
            sys.exit(f"openssl {' '.join(map(str, args))}\n{made.stderr.decode()}")
        return made.stdout

    def pem(self, name: str) -> pathlib.Path:
        return self.run / f"{name}.pem"

    def key(self, name: str) -> pathlib.Path:
        return self.run / f"{name}.key"

    def csr(self, name: str) -> pathlib.Path:
        return self.run / f"{name}.csr"

    def own(self, name: str, kind: list[str], more=()):
        """A certificate that signed itself, as those of iLOs have."""
        self.openssl("req", "-x509", "-newkey", *kind, "-nodes", "-days", "99", "-subj", f"/CN=ILO{name}", "-addext",
                     "basicConstraints=CA:FALSE", *more, "-keyout", self.key(name), "-out", self.pem(name))

    def request(self, name: str, kind: list[str]):
        self.openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/CN=ILO{name}", "-keyout", self.key(name), "-out",
                     self.csr(name))

    def authority(self):
        """An authority, a leaf by it for 127.0.0.1, and one that was good only in 2020."""
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "99", "-subj", "/CN=Authority",
                     "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key("authority"), "-out",
                     self.pem("authority"))
        (self.run / "index").write_text("")
        config = self.run / "ca.cnf"
        config.write_text(
            "[ca]\ndefault_ca = own\n[own]\n"
            f"database = {self.run}/index\nnew_certs_dir = {self.run}\nrand_serial = yes\nunique_subject = no\n"
            "default_md = sha256\npolicy = any\nx509_extensions = leaf\n[any]\ncommonName = supplied\n"
            "[leaf]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = CA:FALSE\n"
        )
        for name, first, last in [("leaf", "20200101000000Z", "20990101000000Z"),
                                  ("expired", "20200101000000Z", "20210101000000Z")]:
            self.request(name, ["rsa:2048"])
            self.openssl("ca", "-batch", "-config", config, "-cert", self.pem("authority"), "-keyfile",
                         self.key("authority"), "-in", self.csr(name), "-startdate", first, "-enddate", last, "-notext",
                         "-out", self.pem(name))

    def fingerprint(self, name: str) -> str:
        der = self.openssl("x509", "-in", self.pem(name), "-outform", "DER")
        return f"sha256:{hashlib.sha256(der).hexdigest()}"

    def ask(self, port: int, tls: str, *args: str) -> subprocess.CompletedProcess:
        config = self.run / "ilo-reaper.yaml"
        config.write_text(
            "poll: { connect_timeout: 10s, exchange_timeout: 10s }\n"
            f"fleet:\n  lab:\n    username: svc\n    password_file: {self.run}/password\n    tls: {tls}\n"
            f"    ilos: [{{ name: r1, address: 127.0.0.1, port: {port} }}]\n"
        )
        environment = {"ILO_REAPER_CONFIG": str(config), "STATE_DIRECTORY": str(self.run / "state")}
        return subprocess.run([self.daemon, *args], env=environment, capture_output=True, text=True, timeout=60)


class Server:
    """openssl's server, which answers one request and keeps what it got."""

    def __init__(self, bench: Bench, certificate: str, options: list[str]):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.got = b""
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{self.port}", "-cert", bench.pem(certificate),
             "-key", bench.key(certificate), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ,
        )
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        self.wait()

    def wait(self):
        """Until it listens, which only the kernel tells without connecting."""
        listening = f":{self.port:04X} 00000000:0000 0A "
        deadline = time.monotonic() + DEADLINE_S
        while listening not in pathlib.Path("/proc/net/tcp").read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"openssl s_server did not start: {' '.join(map(str, self.process.args))}")
            time.sleep(0.005)

    def read(self):
        while piece := self.process.stdout.read1():
            self.got += piece
            if self.got.endswith(b"\r\n\r\n"):
                self.process.stdin.write(ANSWER)
                self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


class Table:
    """What came of it."""

    def __init__(self, bench: Bench):
        self.bench, self.wrong = bench, []

    def complain(self, cell: str, what: str):
        self.wrong.append(f"{cell}: {what}")

    def visit(self, cell: str, certificate: str, options: list[str], tls: str, expected: str) -> str:
        """One visit. Whether the server got our first request, or what was complained of."""
        with Server(self.bench, certificate, options) as server:
            ended = self.bench.ask(server.port, tls, "list")
        told = ended.stderr.strip()
        if PASSWORD.encode() in server.got or PASSWORD in told:
            self.complain(cell, "the password went out")
        if server.got:
            if not server.got.startswith(b"GET /redfish/v1/ HTTP/1.1\r\n"):
                self.complain(cell, f"the server got {server.got!r}")
            if expected != "ok":
                self.complain(cell, f"a request was sent; expected: {expected}")
            elif "404" not in told:
                self.complain(cell, f"its answer was not taken: {told}")
            return "ok"
        if expected == "ok" or expected not in told:
            self.complain(cell, f"expected: {expected}; told: {told}")
        return "no" if expected != "ok" else f"no: {told}"

    def pinned(self, name: str, certificate: str, options: list[str], modern: str, legacy: str):
        pin = self.bench.fingerprint(certificate)
        other = self.bench.fingerprint("leaf")
        cells = []
        for adapter, more, expected in [("rustls", "", modern), ("openssl", ", legacy: true", legacy)]:
            cell = f"{name}, {adapter}"
            cells.append(self.visit(cell, certificate, options, f"{{ pin: '{pin}'{more} }}", expected))
            # A certificate that can't be compared, since nothing got that far, is refused for that.
            refused = modern if (modern, adapter) == (OLD_TLS, "rustls") else f"the certificate is {pin}"
            tls = f"{{ pin: '{other}'{more} }}"
            cells.append(self.visit(f"{cell}, wrong pin", certificate, options, tls, refused))
            if expected != "ok":
                self.remedy(cell, certificate, options, pin)
        cells.append(self.trust(name, certificate, options, pin, modern != "ok"))
        print(f"{name:<38} {cells[0]:<8} {cells[1]:<8} {cells[2]:<8} {cells[3]:<8} {cells[4]}", flush=True)

    def remedy(self, cell: str, certificate: str, options: list[str], pin: str):
        """Where old TLS is the way, the complaint says so, in the words that help."""
        self.visit(f"{cell}, remedy", certificate, options, f"{{ pin: '{pin}' }}", "`tls: { pin: …, legacy: true }`")

    def trust(self, name: str, certificate: str, options: list[str], pin: str, needs_legacy: bool) -> str:
        cell = f"{name}, trust"
        with Server(self.bench, certificate, options) as server:
            ended = self.bench.ask(server.port, "known", "trust", "--json")
        if server.got:
            self.complain(cell, f"the server got {server.got!r}")
        row = json.loads(ended.stdout)["ilos"][0]
        if (row["found"], row["needs_legacy"]) != (pin, needs_legacy) or ended.returncode != 1:
            self.complain(cell, f"{row}")
        return "legacy" if row["needs_legacy"] else "plain"

    def anonymous(self, name: str):
        pin = self.bench.fingerprint("leaf")
        refused = "handshake failure"
        tls = f"{{ pin: '{pin}', legacy: true }}"
        cells = [self.visit(f"{name}, rustls", "leaf", ANONYMOUS, f"{{ pin: '{pin}' }}", OLD_TLS),
                 self.visit(f"{name}, openssl", "leaf", ANONYMOUS, tls, refused),
                 self.visit(f"{name}, insecure", "leaf", ANONYMOUS, "{ trust: insecure, legacy: true }", refused)]
        print(f"{name:<38} {'':<8} {cells[0]:<8} {'':<8} {cells[1]}", flush=True)

    def signed(self, name: str, certificate: str, authority: str, options: list[str], modern: str, legacy: str):
        cells = []
        for adapter, more, expected in [("rustls", "", modern), ("openssl", ", legacy: true", legacy)]:
            tls = f"{{ ca: {self.bench.pem(authority)}{more} }}"
            cells.append(self.visit(f"{name}, {adapter}", certificate, options, tls, expected))
        print(f"{name:<38} {cells[0]:<8} {'':<8} {cells[1]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--daemon", type=pathlib.Path, required=True)
    parser.add_argument("--run", type=pathlib.Path, required=True)
    parser.add_argument("rows", nargs="*")
    asked = parser.parse_args()
    table = Table(Bench(asked.daemon.resolve(), asked.run.resolve()))
    wanted = lambda name: not asked.rows or any(row in name for row in asked.rows)
    print(f"{'what the server offers':<38} {'rustls':<8} {'wrong':<8} {'openssl':<8} {'wrong':<8} trust")
    for name, *row in PINNED:
        if wanted(name):
            table.pinned(name, *row)
    for name, *row in SIGNED:
        if wanted(name):
            table.signed(name, *row)
    if wanted("anonymous"):
        table.anonymous("anonymous")
    for wrong in table.wrong:
        print(f"WRONG {wrong}", file=sys.stderr)
    sys.exit(1 if table.wrong else 0)


main()
