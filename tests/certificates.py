"""Certificates for tests, made by openssl(1). Used by tests/netns and tests/e2e; needs no privilege."""

import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A CA and what it signs, in one directory."""

    def __init__(self, directory, name):
        self.directory = directory
        self.certificate, self.key = directory / f"{name}.pem", directory / f"{name}-key.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
                "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate)

    def sign(self, name, names=None, dates=()):
        """Returns the files of a certificate and its key. `names`: its subjectAltName, `dates`: other arguments for its
        validity."""
        request, certificate, key = (self.directory / f"{name}{suffix}" for suffix in (".csr", ".pem", "-key.pem"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-keyout", key, "-out", request)
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names or f'DNS:{name}'}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                "-out", certificate, "-extfile", extensions, *(dates or ("-days", 2)))
        return certificate, key
