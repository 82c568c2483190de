"""glovebox rootfs: directories, archives and images become roots with a name, and programs run in them."""
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from cli_harness import BUSYBOX, CliTest


class RootfsTest(CliTest):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.scratch)

    def make_directory(self):
        """A root with busybox, in Debian's merged layout."""
        root = self.scratch / "root"
        (root / "usr/bin").mkdir(parents=True)
        (root / "bin").symlink_to("usr/bin")
        (root / "etc").mkdir()
        (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nworker:x:1000:1000::/:/bin/sh\n")
        shutil.copy(BUSYBOX, root / "usr/bin/busybox")
        for applet in ("sh", "cat", "ls", "id", "stat"):
            (root / "usr/bin" / applet).symlink_to("busybox")
        (root / "etc/linked").write_text("shared\n")
        os.link(root / "etc/linked", root / "etc/again")
        (root.joinpath("etc").joinpath(os.fsdecode(b"odd\xff"))).write_text("bytes\n")
        os.utime(root / "etc/passwd", (10**9, 10**9))
        return root

    def import_root(self, path, *options, name="r"):
        done = self.run_cli("rootfs", "import", "--replace", "--name", name, *options, str(path))
        self.assert_ends(done, 0, stdout=f"{name}\n".encode())
        return done

    def in_root(self, *words, name="r", **options):
        return self.run_box("--root", name, *words, **options)

    def test_a_directory_runs(self):
        self.import_root(self.make_directory())
        self.assert_ends(self.in_root("--", "/bin/sh", "-c", "cat /etc/linked; stat -c '%a %h %Y' /etc/passwd /etc/again"),
                         0, stdout=b"shared\n644 1 1000000000\n" + self.stat_of("etc/again"))

    def stat_of(self, path):
        return f"644 2 {int(os.stat(self.scratch / 'root' / path).st_mtime)}\n".encode()

    def test_a_bare_name_is_looked_for_in_the_root(self):
        self.import_root(self.make_directory())
        self.assert_ends(self.in_root("--", "id", "-u"), 0, stdout=b"0\n")
        # An absolute path is one of the root's, whatever this machine has there.
        self.assert_ends(self.in_root("--", "/usr/bin/python3"), 127)

    def test_names_are_bytes(self):
        self.import_root(self.make_directory())
        self.assert_ends(self.in_root("--", "sh", "-c", "cat /etc/odd*; echo /etc/*"), 0,
                         stdout=b"bytes\n/etc/again /etc/linked /etc/odd\xff /etc/passwd\n")

    def test_hard_links_are_one_file(self):
        self.import_root(self.make_directory())
        self.assert_ends(self.in_root("--", "sh", "-c", "echo more >> /etc/linked; cat /etc/again"), 0,
                         stdout=b"shared\nmore\n")

    def test_files_lie_on_top_of_a_root(self):
        self.import_root(self.make_directory())
        extra = self.scratch / "extra"
        extra.write_text("extra\n")
        # /bin is a link to usr/bin in the root.
        self.assert_ends(self.in_root("--file", f"{extra}:/bin/x", "--file", f"{extra}:/new/y", "--", "sh", "-c",
                                      "cat /usr/bin/x /new/y /etc/linked"), 0, stdout=b"extra\nextra\nshared\n")
        self.assert_ends(self.in_root("--", "sh", "-c", "ls /new"), 1)

    def test_an_archive_is_the_same_root(self):
        root = self.make_directory()
        self.import_root(root, name="directory")
        archive = self.scratch / "root.tar.xz"
        # tarfile rounds times.
        subprocess.run(["tar", "--format=posix", "-C", root, "-cJf", archive, "."], check=True)
        done = self.import_root(archive, name="archive")
        self.assertIn(b"sent 0 bytes in 0 blobs", done.stderr)
        trees = {row["name"]: row["tree"] for row in self.json_of("rootfs", "ls")["roots"]}
        self.assertEqual(trees["roots/directory"], trees["roots/archive"])

    def test_the_image_says_what_runs(self):
        self.import_root(self.make_image(), name="image")
        self.assert_ends(self.in_root(name="image"), 0, stdout=b"/work 1000 hello from the image\n")
        self.assert_ends(self.in_root("--cwd", "/", "--env", "WORD=bye", "--", "sh", "-c", "pwd; echo $WORD", name="image"), 0,
                         stdout=b"/\nbye\n")

    def make_image(self):
        layout = self.scratch / "oci"
        blobs = layout / "blobs/sha256"
        blobs.mkdir(parents=True)

        def blob(data, kind):
            digest = hashlib.sha256(data).hexdigest()
            (blobs / digest).write_bytes(data)
            return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            tar.add(self.make_directory(), ".")
        config = {"architecture": "amd64", "os": "linux",
                  "config": {"Env": ["PATH=/bin", "WORD=hello"], "WorkingDir": "/work", "User": "worker",
                             "Cmd": ["/bin/sh", "-c", "echo $PWD $(id -u) $WORD from the image"]}}
        manifest = {"schemaVersion": 2, "config": blob(json.dumps(config).encode(), "config.v1+json"),
                    "layers": [blob(buffer.getvalue(), "layer.v1.tar+gzip")]}
        (layout / "index.json").write_text(json.dumps(
            {"schemaVersion": 2, "manifests": [blob(json.dumps(manifest).encode(), "manifest.v1+json")]}))
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return layout

    def test_a_name_goes_and_its_jobs_stay(self):
        self.import_root(self.make_directory(), name="short")
        job = self.run_cli("job", "submit", "--root", "short", "--", "id", "-u").stdout.decode().strip()
        self.assert_ends(self.run_cli("rootfs", "rm", "short"), 0)
        self.assert_ends(self.run_cli("job", "wait", job), 0)
        self.assert_ends(self.in_root("--", "id", name="short"), 125, stderr=('there is no root "short"',))
        self.assert_ends(self.run_cli("rootfs", "rm", "short"), 1, stderr=('there is no root "short"',))

    def test_what_is_wrong_is_said(self):
        root = self.make_directory()
        self.import_root(root, name="taken")
        self.assert_ends(self.run_cli("rootfs", "import", "--name", "taken", str(root)), 1, stderr=("already",))
        self.assert_ends(self.run_cli("rootfs", "import", "--name", "Not A Name", str(root)), 1, stderr=("a root's name",))
        # The name is looked at before anything is read.
        self.assert_ends(self.run_cli("rootfs", "import", "--name", "taken", "absent"), 1, stderr=("already",))
        self.assert_ends(self.run_cli("rootfs", "import", "--name", "free", "absent"), 1, stderr=("FILE_NOT_FOUND",))
        archive = self.scratch / "bad.tar"
        with tarfile.open(archive, "w") as tar:
            info = tarfile.TarInfo("../../etc/passwd")
            info.size = 3
            tar.addfile(info, io.BytesIO(b"bad"))
        self.assert_ends(self.run_cli("rootfs", "import", str(archive)), 1, stderr=("leads out of the tree",))


if __name__ == "__main__":
    unittest.main()
