"""The kernels that are compared: how each is started, and the same cells in its language."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Language:
    """Cells and requests that mean the same in each language."""

    setup: str
    new_cell: str
    endless: str
    print_lines: str
    # Each list is one member typed letter by letter, with the match that must be offered every time.
    typed_members: list
    inspected: list


TYPESCRIPT = Language(
    setup="",
    new_cell="const a{n} = {n}; a{n} + 1",
    endless="while (true) {}",
    print_lines='for (let i = 0; i < 10000; i++) console.log("line " + i)',
    typed_members=[
        (["Math.", "Math.f", "Math.fl", "Math.flo"], "floor"),
        (['"".', '"".t', '"".to', '"".toU'], "toUpperCase"),
    ],
    inspected=["Math.floor", "Math.max", "JSON.stringify", "parseInt", "Math.sqrt"],
)

PYTHON = Language(
    setup="import math, json",
    new_cell="a{n} = {n}; a{n} + 1",
    endless="while True: pass",
    print_lines='for i in range(10000): print("line " + str(i))',
    typed_members=[
        (["math.", "math.f", "math.fl", "math.flo"], "floor"),
        (['"".', '"".u', '"".up', '"".upp'], "upper"),
    ],
    inspected=["math.floor", "math.gcd", "json.dumps", "int", "math.sqrt"],
)


@dataclass
class Kernel:
    """One kernel that takes part: its command from the kernelspec, and where its figures are read."""

    name: str
    title: str
    language: Language
    argv: list
    environment: dict = field(default_factory=dict)
    interrupt_mode: str = "signal"


def package_version(folder):
    return json.loads((folder / "package.json").read_text())["version"]


def node_command():
    node = shutil.which("node")
    if not node:
        raise SystemExit("node is not on the PATH")
    return node


def commit():
    """The checked-out commit, marked when files differ from it; empty outside a git checkout."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def write_tslab_kernelspec(prefix):
    """tslab's kernelspec with absolute paths; its own installer needs `tslab` on the PATH."""
    program = REPOSITORY / "node_modules" / "tslab" / "bin" / "tslab"
    if not program.exists():
        raise SystemExit(f"{program} is not there: install the repository's packages first")
    folder = prefix / "share" / "jupyter" / "kernels" / "tslab"
    folder.mkdir(parents=True)
    spec = {
        "argv": [node_command(), str(program), "kernel", "--config-path={connection_file}"],
        "display_name": "TypeScript (tslab)",
        "language": "typescript",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))


def install_persimmon(prefix):
    installer = REPOSITORY / "dist" / "kernel" / "install-main.js"
    if not installer.exists():
        raise SystemExit(f"{installer} is not there: build the repository first")
    command = [node_command(), str(installer), "install", "--prefix", str(prefix)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def kernel_folders(prefix):
    return [str(Path(prefix) / "share" / "jupyter" / "kernels")]


def persimmon_spec(temporary_prefix, given_prefix):
    """Ours from --prefix, else from JUPYTER_PATH, else this checkout's, installed for this run only."""
    if given_prefix:
        return KernelSpecManager(kernel_dirs=kernel_folders(given_prefix)).get_kernel_spec("persimmon")
    paths = [path for path in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if path]
    try:
        manager = KernelSpecManager(kernel_dirs=[str(Path(path) / "kernels") for path in paths])
        return manager.get_kernel_spec("persimmon")
    except NoSuchKernel:
        install_persimmon(temporary_prefix)
        return persimmon_spec(temporary_prefix, temporary_prefix)


def find_kernels(names, temporary_prefix, given_prefix):
    """The kernels named, in that order, ready to be started."""
    kernels = []
    for name in names:
        if name == "persimmon":
            spec = persimmon_spec(temporary_prefix, given_prefix)
            ours = any(part.startswith(f"{REPOSITORY}{os.sep}") for part in spec.argv)
            state = commit() if ours else "(of another checkout)"
            title = f"persimmon {package_version(REPOSITORY)} {state}".strip()
            language = TYPESCRIPT
        elif name == "tslab":
            write_tslab_kernelspec(temporary_prefix)
            spec = KernelSpecManager(kernel_dirs=kernel_folders(temporary_prefix)).get_kernel_spec("tslab")
            title = f"tslab {package_version(REPOSITORY / 'node_modules' / 'tslab')}"
            language = TYPESCRIPT
        elif name == "ipykernel":
            # Without kernel folders what is left is the one native kernel: this interpreter's ipykernel.
            spec = KernelSpecManager(kernel_dirs=[]).get_kernel_spec("python3")
            spec.argv = [sys.executable, *spec.argv[1:]]
            title = f"ipykernel {version('ipykernel')}"
            language = PYTHON
        else:
            raise SystemExit(f"no kernel is called {name}; there are persimmon, tslab and ipykernel")
        mode = spec.interrupt_mode or "signal"
        kernels.append(Kernel(name, title, language, spec.argv, dict(spec.env), mode))
    return kernels
