"""Files of an archive, and archives that are the same bytes whoever makes them: sorted, without owners, of one instant."""

import gzip
import hashlib
import io
import os
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path


def fail(message, hint):
    """Ends the program, naming what happened and what to do."""
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    sys.exit(1)


@dataclass
class Entry:
    """One file: where its bytes are, or a link, and whether it is a program."""

    content: bytes | Path | None
    executable: bool = False
    link: str | None = None

    def size(self):
        """Bytes of its content."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content or b"")

    def open(self):
        """Its content, to be read once."""
        return open(self.content, "rb") if isinstance(self.content, Path) else io.BytesIO(self.content or b"")

    def sha256(self):
        """Digest of its content as hexadecimal digits."""
        with self.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def instant(root):
    """Seconds since 1970 that every file is said to be of: SOURCE_DATE_EPOCH, else the commit of the checkout."""
    stated = os.environ.get("SOURCE_DATE_EPOCH")
    if stated is None:
        import subprocess

        answer = subprocess.run(["git", "-C", root, "log", "-1", "--format=%ct"], capture_output=True, text=True)
        stated = answer.stdout.strip()
    if not stated.isdigit():
        fail("the instant of the files is not known", "set SOURCE_DATE_EPOCH to seconds since 1970, or run this in a checkout of git")
    return int(stated)


def tree(folder, place, executable=lambda path: os.access(path, os.X_OK)):
    """Every file below a folder of the checkout as an entry below `place`."""
    entries = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            entries[f"{place}/{path.relative_to(folder)}"] = Entry(path, executable(path))
    return entries


def add_folders(entries):
    """The names of all folders that the entries lie in."""
    folders = set()
    for name in entries:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[: count + 1]) for count in range(len(parts)))
    return folders


def write_tar(file, entries, mtime, prefix="", folders=None):
    """Writes entries as a tar; `folders` maps further folders to their mode and owner."""
    special = folders or {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(add_folders(entries) | set(entries) | set(special)):
            info = tarfile.TarInfo(prefix + name)
            info.mtime = mtime
            entry = entries.get(name)
            if entry is None:
                info.type = tarfile.DIRTYPE
                info.mode, info.uid = special.get(name, (0o755, 0))
                info.gid = info.uid
                archive.addfile(info)
            elif entry.link is not None:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
                archive.addfile(info)
            else:
                info.size, info.mode = entry.size(), 0o755 if entry.executable else 0o644
                with entry.open() as content:
                    archive.addfile(info, content)


def write_archive(path, entries, mtime, prefix, level):
    """Writes a .tar.gz and renames it into place; the same entries make the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=level, mtime=mtime) as packed:
            write_tar(packed, entries, mtime, prefix)
    partial.rename(path)


def checksums(entries):
    """The lines of a file SHA256SUMS, as `sha256sum --check` reads it."""
    lines = [f"{entry.sha256()}  {name}\n" for name, entry in sorted(entries.items()) if entry.link is None]
    return "".join(lines).encode()
