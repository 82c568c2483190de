#!/usr/bin/env python3
"""Fails where an #include crosses a line that ARCHITECTURE.md draws ("One direction of dependencies").

usage: check_includes.py TREE
"""
import pathlib
import re
import sys

# Folder -> prefixes that it may include besides its own. The longest matching folder counts.
# Headers of the system and of libraries are checked by LIBRARIES below.
ALLOWED = {
    "engine/base": [],
    "engine/limits": ["engine/base"],
    "engine/memory": ["engine/base", "engine/limits"],
    "engine/cpu": ["engine/base", "engine/limits", "engine/memory"],
    "engine/isa/x86": ["engine/base", "engine/limits", "engine/memory", "engine/cpu"],
    "engine/vfs": ["engine/base", "engine/limits", "engine/memory"],
    "engine/net": ["engine/base", "engine/limits", "engine/memory", "engine/vfs"],
    "engine/loader": ["engine/base", "engine/limits", "engine/memory", "engine/vfs"],
    "engine/linux": ["engine/"],
    "engine": ["engine/"],
    "gdbstub": ["engine/base"],
    "server/core": ["engine/base", "engine/limits", "engine/linux/world.h", "engine/linux/world_check.h", "server/store"],
    "server/store": ["engine/base", "engine/limits", "server/core"],
    "server/channel": ["engine/base"],
    "server/pool": ["engine/base", "engine/limits", "server/channel", "server/core", "glovebox/worker/v1"],
    "server/rpc": ["engine/base", "engine/limits", "server/core", "server/store", "glovebox/v1", "google/rpc"],
    "server/worker": ["engine/", "gdbstub", "server/channel", "glovebox/v1/tree.pb.h", "glovebox/worker/v1"],
    "server": ["engine/base", "engine/limits", "server/core", "server/store", "server/rpc", "server/pool"],
    "client": ["engine/base", "engine/limits/limit_table.h", "engine/linux/default_root.h",
               "engine/linux/world.h", "engine/linux/world_check.h", "glovebox/v1", "google/rpc",
               "grpc/health/v1"],
}
OURS = ("engine/", "gdbstub/", "server/", "client/", "glovebox/", "google/rpc/")
# Library header -> the folders that may see it.
LIBRARIES = {
    r"grpc": ["server/rpc", "server/main.cc", "client"],
    r"google/protobuf": ["server/rpc", "server/channel", "server/pool", "server/worker", "client"],
    r"Zydis|Zycore": ["engine/isa"],
    r"sqlite3\.h": ["server/store"],
    r"asio": ["server/pool", "server/core"],
    r"seccomp\.h|linux/(seccomp|landlock|filter)\.h": ["server/worker"],
    r"spdlog": ["server", "client"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')


def rule_for(path):
    best = max((f for f in ALLOWED if path.startswith(f + "/")), key=len, default=None)
    return best


def main():
    tree = pathlib.Path(sys.argv[1])
    broken, seen = [], 0
    for file in sorted(p for top in ("engine", "gdbstub", "server", "client") for p in (tree / top).rglob("*.*")):
        if file.suffix not in (".h", ".cc"):
            continue
        path = file.relative_to(tree).as_posix()
        folder = rule_for(path)
        seen += 1
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(1)
            if header.startswith(OURS):
                own = folder and header.startswith(folder + "/")
                if not own and not any(header.startswith(a) for a in ALLOWED.get(folder, [])):
                    broken.append(f"{path}:{number}: {folder} may not include {header}")
            for pattern, places in LIBRARIES.items():
                if re.match(f"(?:{pattern})", header) and not any(path.startswith(p) for p in places):
                    broken.append(f"{path}:{number}: only {', '.join(places)} may include <{header}>")
    print("\n".join(broken) or f"{seen} files, no include crosses a line")
    return 1 if broken or seen == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
