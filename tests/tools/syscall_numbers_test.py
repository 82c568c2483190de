"""The table of system calls has the numbers of Linux' headers, and each call of them.

usage: syscall_numbers_test.py BOXRUN
"""
import re
import subprocess
import sys

HEADERS = {"x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "i386": "/usr/include/x86_64-linux-gnu/asm/unistd_32.h"}
LAST_OF_6_1 = 450  # set_mempolicy_home_node; later headers know more


def of_header(path):
    with open(path, encoding="utf-8") as header:
        pairs = re.findall(r"^#define __NR_(\w+) (\d+)$", header.read(), re.MULTILINE)
    return {(name, int(number)) for name, number in pairs if int(number) <= LAST_OF_6_1}


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    listing = subprocess.run([sys.argv[1], "--list-syscalls"], capture_output=True, text=True, check=True).stdout
    rows = [line.split()[:3] for line in listing.splitlines()]
    failed = False
    for column, (abi, path) in enumerate(HEADERS.items(), start=1):
        ours = {(row[0], int(row[column])) for row in rows if row[column] != "-"}
        for name, number in sorted(of_header(path) ^ ours):
            print(f"{abi}: {name} {number} stands only in " + ("the table" if (name, number) in ours else "the header"))
            failed = True
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
