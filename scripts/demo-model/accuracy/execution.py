"""Runs a completed function with its tests in a Python process of its own.

The code comes from a model that was trained on nothing but our own templates: limits on time and memory and an honest
verdict are enough. This is NOT the project's sandbox for what other models write: the process sees the files and
the network of whoever runs it.
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile

ADDRESS_SPACE = 1 << 30  # bytes
# The verdict line starts with a word that the program is not given, so a program that only ends (sys.exit(0),
# os._exit(0), a crash) or prints something does not pass.
_BOOTSTRAP = """
import os, resource, sys
cpu, space = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
resource.setrlimit(resource.RLIMIT_AS, (space, space))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, 1 << 24))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
def run():
    nonce, _, program = sys.stdin.buffer.read().partition(b"\\n")
    verdict, null = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    try:
        code = compile(program, "program", "exec")
    except (SyntaxError, ValueError):
        status = b"syntax"
    else:
        try:
            exec(code, {})
            status = b"passed"
        except BaseException:
            status = b"failed"
    os.write(verdict, nonce + b" " + status + b"\\n")
    os._exit(0)
run()
"""


def verdict(program: str, cpu: int = 4, wall: float = 20.0) -> str:
    """passed, failed (an exception), syntax, timeout (CPU seconds, or wall seconds as backstop) or crashed."""
    nonce = secrets.token_hex(16)
    command = [sys.executable, "-I", "-B", "-S", "-c", _BOOTSTRAP, str(cpu), str(ADDRESS_SPACE)]
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=directory, env={},
            start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(f"{nonce}\n{program}".encode(errors="surrogatepass"), timeout=wall)
        except subprocess.TimeoutExpired:
            return "timeout"
        finally:
            _end(process)
    for status in ("passed", "failed", "syntax"):
        if output == f"{nonce} {status}\n".encode():
            return status
    return "timeout" if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL) else "crashed"


def _end(process: subprocess.Popen) -> None:
    """Ends the process and what it started, and closes the pipes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    for pipe in (process.stdin, process.stdout):
        pipe.close()


def program(item: dict, completion: str) -> str:
    return f"{item['prompt']}{completion}\n{item['test']}\ncheck({item['entry_point']})"
