#!/usr/bin/env python3
"""Makes docs/system_calls.md of the engine's table of system calls, or checks that it is that.

usage: syscall_table.py BOXRUN [--check FILE]
"""
import subprocess
import sys

HEAD = """# System calls: what guests find

Every call of Linux 6.1, by the engine's own table. Made by

```
tests/tools/syscall_table.py build/dev/bin/boxrun > docs/system_calls.md
```

- *full*: as section 2 of the manual says it.
- *partial*: but for what stands beside it.
- *refused*: answers with an error that Linux knows, for the reason beside it.
- *absent*: answers ENOSYS, as a kernel made without it.

The job's result names each call that was refused or absent, with how often it was made.

A dash: the ABI has no such call.

| call | x86-64 | i386 | support | what is missing, or why |
|---|---|---|---|---|
"""
TAIL = """
{full} calls are full, {partial} partial, {refused} refused, {absent} absent.
"""


def table(boxrun):
    listing = subprocess.run([boxrun, "--list-syscalls"], capture_output=True, text=True, check=True).stdout
    counts = dict.fromkeys(("full", "partial", "refused", "absent"), 0)
    lines = []
    for line in listing.splitlines():
        name, wide, narrow, support, *note = line.split(maxsplit=4)
        counts[support] += 1
        cells = [name, wide, narrow, support, note[0].replace("|", "\\|") if note else ""]
        lines.append(("| " + " | ".join(cells)).rstrip() + " |\n")
    return HEAD + "".join(lines) + TAIL.format(**counts)


def main():
    words = sys.argv[1:]
    if len(words) not in (1, 3) or words[1:2] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 64
    made = table(words[0])
    if len(words) == 1:
        sys.stdout.write(made)
        return 0
    with open(words[2], encoding="utf-8") as file:
        if file.read() == made:
            return 0
    print(f"{words[2]} is not what the engine's table says: make it anew, as its head tells")
    return 1


if __name__ == "__main__":
    sys.exit(main())
