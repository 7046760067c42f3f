#!/usr/bin/env python3
"""Compiles CUDA C++ files with NVRTC, without a GPU or a driver; prints registers and spills of each.

    pip install "nvidia-cuda-nvrtc==13.0.*" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-crt==13.0.*" "nvidia-cuda-cccl==13.0.*"
    python .ci/nvrtc.py --arch sm_90a FILE.cu ...

Exits with 1 if a file does not compile, or if there is none.
"""

import argparse
import ctypes
import pathlib
import re
import sys
import sysconfig
import time


class Nvrtc:
    """The library from the Python package index."""

    def __init__(self):
        root = pathlib.Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cu13"
        libraries = root / "lib"
        # Loaded first: the library looks for it by name alone.
        ctypes.CDLL(str(next(libraries.glob("libnvrtc-builtins.so.*"))), ctypes.RTLD_GLOBAL)
        self.library = ctypes.CDLL(str(next(libraries.glob("libnvrtc.so.*"))))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p
        self.include = root / "include"

    def version(self):
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.check(self.library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        return f"{major.value}.{minor.value}"

    def check(self, code):
        if code:
            raise RuntimeError(self.library.nvrtcGetErrorString(code).decode())

    def compile(self, source, arch):
        """Whether it compiled, and the compiler's log."""
        program = ctypes.c_void_p()
        self.check(self.library.nvrtcCreateProgram(ctypes.byref(program), source, b"kernel.cu", 0, None, None))
        options = [f"--gpu-architecture={arch}", f"--include-path={self.include}", f"--include-path={self.include / 'cccl'}"]
        options += ["-lineinfo", "--ptxas-options=-v"]
        arguments = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        code = self.library.nvrtcCompileProgram(program, len(options), arguments)
        size = ctypes.c_size_t()
        self.check(self.library.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
        log = ctypes.create_string_buffer(size.value)
        self.check(self.library.nvrtcGetProgramLog(program, log))
        self.check(self.library.nvrtcDestroyProgram(ctypes.byref(program)))
        return code == 0, log.value.decode()


def figures(log):
    """Registers, bytes spilled (stores, loads) and stack frame, of the compiler's report."""
    def number(pattern):
        found = re.search(pattern, log)
        return int(found[1]) if found else 0

    return (
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes spill stores"),
        number(r"(\d+) bytes spill loads"),
        number(r"(\d+) bytes stack frame"),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--arch", default="sm_90a")
    arguments = parser.parse_args()
    if not arguments.files:
        sys.exit("no files to compile")
    nvrtc = Nvrtc()
    print(f"NVRTC {nvrtc.version()}, {arguments.arch}")
    failed = spilled = 0
    for path in sorted(arguments.files):
        start = time.monotonic()
        compiled, log = nvrtc.compile(path.read_bytes(), arguments.arch)
        if not compiled:
            failed += 1
            print(f"{path.name}: FAILED\n{log}")
            continue
        registers, stores, loads, stack = figures(log)
        spilled += stores + loads > 0
        print(
            f"{path.name:64} {registers:3} registers  spills {stores}/{loads} B  stack {stack} B  {time.monotonic() - start:.2f} s"
        )
    print(f"{len(arguments.files)} kernels, {failed} failed, {spilled} with spills")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
