"""Runs one program inside the sandbox and says how it ended.

Called as `python3 -s -B -S -c <this text> <descriptor of the result pipe>`. Standard input gives a line with a nonce and the
number of bytes that follow it, and then the program in UTF-16-LE, which carries any JavaScript string unchanged. The result
pipe gets `<nonce> started` before the program is read and `<nonce> <verdict> <detail>` after it has run: only a program that
was run to its end has a verdict, however it leaves otherwise (sys.exit, os._exit, a crash).
"""

import os
import sys
import time

VERDICT_LENGTH = 300  # characters of the detail


def line_of(error, file):
    """The last line of the program that an exception passed through."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == file:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def describe(error, file):
    try:
        name, text = type(error).__name__, str(error)
        line = line_of(error, file)
        where = "" if line is None else f" (line {line})"
        return f"{name}: {text[:VERDICT_LENGTH]}{where}" if text else f"{name}{where}"
    except BaseException:  # an exception of the program can have a __str__ that raises
        return "an exception that cannot be printed"


def judge(data, file):
    try:
        source = data.decode("utf-16-le")
    except UnicodeDecodeError as error:
        return "crashed", f"the program is not Unicode text: {error}"
    try:
        # More than SyntaxError: NUL is a ValueError, deep nesting can be a RecursionError or a MemoryError.
        code = compile(source, file, "exec", dont_inherit=True)
    except Exception as error:
        return "syntax", describe(error, file)
    try:
        # As human-eval does it: __name__ is "builtins", so what is under `if __name__ == "__main__"` is not run.
        exec(code, {})
    except BaseException as error:
        return "failed", describe(error, file)
    return "passed", ""


def main():
    # Held by name: the program can replace what is in the modules.
    write, sleep, leave, encode, own_number = os.write, time.sleep, os._exit, str.encode, os.getpid
    first = own_number()
    sys.path.remove("")  # the current folder, where a program could put a module in place of a standard one
    result = int(sys.argv[1])
    source = sys.stdin.buffer
    nonce, length = source.readline().split()
    for descriptor in [int(name) for name in os.listdir("/dev/fd")]:
        if descriptor > 2 and descriptor != result:
            try:
                os.close(descriptor)
            except OSError:  # the one that listed the folder
                pass
    write(result, nonce + b" started\n")
    data = source.read(int(length))
    if len(data) < int(length):  # whoever started this is gone
        leave(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    verdict, detail = judge(data, "<program>")
    if own_number() != first:  # a child that the program made with os.fork; it has no verdict to give
        leave(0)
    line = encode(f" {verdict} " + " ".join(detail.split()), "utf-8", "backslashreplace")
    write(result, nonce + line + b"\n")
    # The sandbox is ended from outside at this line, whole: an end from inside leaves a zombie to the init of the machine.
    sleep(1)
    leave(0)


main()
