"""The variables of the program `anchord`, as its own help tells them."""

import re
import subprocess


def of_program(program):
    """{name: default}"""
    text = subprocess.run([program, "config", "--help"], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"^  ([A-Z_]+) .*\n +default: (.*)$", text, re.M))
