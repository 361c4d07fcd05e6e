"""What a program of Linux needs of the host it runs on, read from its file: libraries, versions of glibc, folders of libraries."""

import re
import struct

DYNAMIC_SECTION = 6
VERSION_NEEDS_SECTION = 0x6FFFFFFE
NEEDED, RPATH, RUNPATH = 1, 15, 29
GO_BUILD_INFO = b"\xff Go buildinf:"


class Program:
    """An ELF file of 64 bits: a program or a library."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.data = bytearray(file.read())
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path} is not an ELF file of 64 bits")
        self.needed, self.versions = [], set()
        self._search = None
        self._read()

    def _sections(self):
        (table,) = struct.unpack_from("<Q", self.data, 0x28)
        size, count = struct.unpack_from("<HH", self.data, 0x3A)
        for number in range(count):
            at = table + number * size
            _, kind, _, _, offset, length, link, info = struct.unpack_from("<IIQQQQII", self.data, at)
            yield kind, offset, length, link, info

    def _text(self, at):
        return self.data[at : self.data.index(0, at)].decode()

    def _read(self):
        sections = list(self._sections())
        for kind, offset, length, link, count in sections:
            if kind not in (DYNAMIC_SECTION, VERSION_NEEDS_SECTION):
                continue
            strings = sections[link][1]
            if kind == DYNAMIC_SECTION:
                self._read_dynamic(offset, length, strings)
            else:
                self._read_versions(offset, count, strings)

    def _read_dynamic(self, offset, length, strings):
        for at in range(offset, offset + length, 16):
            tag, value = struct.unpack_from("<QQ", self.data, at)
            if tag == NEEDED:
                self.needed.append(self._text(strings + value))
            elif tag in (RPATH, RUNPATH):
                self._search = strings + value

    def _read_versions(self, offset, count, strings):
        for _ in range(count):
            _, entries, _, entry, following = struct.unpack_from("<HHIII", self.data, offset)
            at = offset + entry
            for _ in range(entries):
                _, _, _, name, step = struct.unpack_from("<IHHII", self.data, at)
                self.versions.add(self._text(strings + name))
                at += step
            offset += following

    @property
    def search_path(self):
        """Where it looks for libraries before the system's folders, as in `$ORIGIN/../lib`; None if nowhere."""
        return None if self._search is None else self._text(self._search)

    def replace_search_path(self, new):
        """Puts a path that is not longer in the place of the old one."""
        old = self.search_path.encode()
        if len(new) > len(old):
            raise ValueError(f"{self.path}: there is no room for {new} in place of {old.decode()}")
        self.data[self._search : self._search + len(old)] = new.encode().ljust(len(old), b"\0")

    def newest(self, family):
        """The newest version that it needs of `GLIBC` or `GLIBCXX`, as numbers; None if it needs none."""
        pattern = re.compile(rf"{family}_(\d+(?:\.\d+)+)")
        versions = [tuple(map(int, found[1].split("."))) for found in map(pattern.fullmatch, self.versions) if found]
        return max(versions, default=None)


def go_modules(path):
    """The version of Go and the modules (path, version) that a program in Go is made of, itself first; nothing for other programs."""
    with open(path, "rb") as file:
        data = file.read()
    at = data.find(GO_BUILD_INFO)
    if at < 0:
        return None, []
    version, at = _go_text(data, at + 32)
    lines, _ = _go_text(data, at)
    words = [line.split("\t") for line in lines[16:-16].decode().splitlines()]
    return version.decode().removeprefix("go"), [(line[1], line[2]) for line in words if line[0] in ("mod", "dep")]


def _go_text(data, at):
    length = shift = 0
    while True:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return data[at : at + length], at + length
