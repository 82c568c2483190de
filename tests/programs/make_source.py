"""Makes an archive of a program's own tests (perl's, gdb's) from Debian's source package, below the user's cache directory,
and prints where it is. No binary package has them.

The package comes from the sources of this machine, asked for deb-src in a configuration of apt's own, so that nothing of
the machine changes. A release whose archive is not on the mirror (security updates mostly) gives way to the one before:
what is kept are tests, not the interpreter.
"""
import io
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

import make_root

SOURCES = {
    "perl-tests": ("perl", ("t/", "TestInit.pm", "MANIFEST", "regen/keywords.pl")),
    "gdb-testsuite": ("gdb", ("gdb/testsuite/",)),  # for tests/gdb/testsuite
}


def deb_src_sources(directory):
    """Copies of the machine's Debian sources that ask for source packages instead."""
    for path in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]:
        text = path.read_text() if path.is_file() else ""
        if make_root.SUITE in text and path.suffix == ".sources":
            (directory / path.name).write_text(re.sub(r"(?m)^Types:.*$", "Types: deb-src", text))
        elif make_root.SUITE in text and path.suffix == ".list":
            (directory / path.name).write_text(re.sub(r"(?m)^deb(?=[ \t])", "deb-src", text))


def download(package, scratch):
    """The path of the package's upstream archive."""
    for folder in ["sources", "lists/partial", "cache/archives/partial"]:
        (scratch / folder).mkdir(parents=True)
    deb_src_sources(scratch / "sources")
    options = ["-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={scratch}/sources",
               "-o", f"Dir::State::lists={scratch}/lists", "-o", f"Dir::Cache={scratch}/cache", "-o", "APT::Sandbox::User=root"]
    subprocess.run(["apt-get", *options, "update"], check=True, stdout=sys.stderr)
    shown = subprocess.run(["apt-cache", *options, "showsrc", package], check=True, capture_output=True, text=True).stdout
    for version in sorted(re.findall(r"(?m)^Version: (\S+)$", shown), reverse=True):
        if subprocess.run(["apt-get", *options, "source", "--download-only", f"{package}={version}"],
                          cwd=scratch, stdout=sys.stderr).returncode == 0:
            return next(path for path in scratch.glob(f"{package}_*.orig.tar.*") if not path.name.endswith(".asc"))
    raise RuntimeError(f"the mirror has no source of {package}")


def pack(archive, wanted, target):
    """The wanted files of the archive, without its top folder, as tar; times before those of a box."""
    with tarfile.open(archive) as source, tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as out:
        for member in source:  # in its order: going back means unpacking anew
            name = member.name.partition("/")[2]
            if not member.isfile() or not any(name == part or (part.endswith("/") and name.startswith(part)) for part in wanted):
                continue
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = member.size, member.mode & 0o755, min(member.mtime, make_root.NEWEST_S)
            out.addfile(info, io.BytesIO(source.extractfile(member).read()))


def make(name):
    """Returns the archive's path, after making it where it is not there."""
    target = make_root.cache().parent / "sources" / f"{name}.tar"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    package, wanted = SOURCES[name]
    with tempfile.TemporaryDirectory() as scratch:
        archive = download(package, pathlib.Path(scratch))
        new = target.with_name(f"new.{os.getpid()}.{target.name}")
        pack(archive, wanted, new)
        new.rename(target)
    return target


if __name__ == "__main__":
    print(make(sys.argv[1] if len(sys.argv) > 1 else "perl-tests"))
