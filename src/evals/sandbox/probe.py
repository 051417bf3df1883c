# Tries what the sandbox must not allow, as a program in it, and fails with a list of what is allowed after all.
# The caller puts two lines before this text:
# LIMITS = {name of a limit: [soft, hard]}
# PROJECT = a folder that must not be seen

import os
import resource
import socket
import time

wrong = []


def refused(what, action):
    try:
        action()
    except OSError:
        return
    wrong.append(what)


def write(path):
    with open(path, "w") as file:
        file.write("x")


def names_in_environment(path):
    try:
        with open(path, "rb") as file:
            return {entry.split(b"=")[0].decode() for entry in file.read().split(b"\0") if entry}
    except OSError:  # refused, which is better still
        return set()


def connect(address):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        connection.connect(address)


def fork_many():
    """Children of this process that can live at the same time; they die with the sandbox."""
    for count in range(64):
        try:
            child = os.fork()
        except OSError:
            return count
        if child == 0:
            time.sleep(5)
            os._exit(0)
    return 64


refused("/etc/passwd can be read", lambda: open("/etc/passwd").close())
for folder in ("/root", "/home", "/etc", "/var", PROJECT):
    refused(f"{folder} can be read", lambda: os.listdir(folder))
for folder in ("/", "/usr", "/dev", "/dev/shm"):
    refused(f"{folder} can be written", lambda: write(os.path.join(folder, "persimmon-probe")))
write("/tmp/persimmon-probe")
# A TEST-NET address (RFC 5737): nothing answers there even where the network is reached.
refused("the network can be reached", lambda: connect(("192.0.2.1", 9)))
if [name for _, name in socket.if_nameindex()] != ["lo"]:
    wrong.append("network interfaces of the machine are seen")

status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
if int(status["CapEff"], 16) or int(status["CapPrm"], 16) or int(status["CapBnd"], 16):
    wrong.append("there are capabilities")
if status["NoNewPrivs"] != "1":
    wrong.append("privileges can be gained")
if os.getuid() == 0 or os.geteuid() == 0:
    wrong.append("the program runs as root")
if len([name for name in os.listdir("/proc") if name.isdigit()]) > 3:
    wrong.append("processes of the machine are seen")
# What a shell that stands for bwrap sets, and what Node hands on for coverage, is no secret.
if names_in_environment("/proc/1/environ") - {"PWD", "OLDPWD", "SHLVL", "_", "NODE_V8_COVERAGE"}:
    wrong.append("the environment of the caller is seen")
if [name for name in os.listdir("/proc/self/fd") if int(name) > 4]:  # 3: the result; 4: this listing
    wrong.append("open files of the caller are seen")
for name, limits in LIMITS.items():
    if list(resource.getrlimit(getattr(resource, name))) != limits:
        wrong.append(f"{name} is {resource.getrlimit(getattr(resource, name))}, not {limits}")
try:
    import ctypes

    CLONE_NEWUSER = 0x10000000
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0:
        wrong.append("a user namespace can be made")
except ImportError:  # a Python without ctypes has no way to ask for one
    pass
if fork_many() > 8:
    wrong.append("the number of processes has no limit")

if wrong:
    raise Exception("; ".join(wrong))
