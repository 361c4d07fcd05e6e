"""What the programs are made of, from cargo, the NATS server and libtorch: a list of parts in CycloneDX, and their licences."""

import hashlib
import json
import os
import re
import subprocess
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path

from elf import go_modules
from files import fail

TARGET = "x86_64-unknown-linux-gnu"
LICENCE_FILE = re.compile(r"(licen[sc]e|copying|notice|unlicense|copyright)", re.IGNORECASE)
# The modules of Go in the NATS server; their texts are in `licences/`.
GO_LICENCES = {
    "github.com/antithesishq/antithesis-sdk-go": "MIT",
    "github.com/klauspost/compress": "Apache-2.0 AND BSD-3-Clause AND MIT",
    "github.com/minio/highwayhash": "Apache-2.0",
    "github.com/nats-io": "Apache-2.0",
    "golang.org/x": "BSD-3-Clause",
}
# The packages that libtorch is made of, by the words of its stamp.
TORCH_PACKAGES = {
    "torch": ("torch", "BSD-3-Clause"),
    "cuda-runtime": ("nvidia-cuda-runtime", "LicenseRef-NVIDIA-CUDA-EULA"),
    "cuda-cupti": ("nvidia-cuda-cupti", "LicenseRef-NVIDIA-CUDA-EULA"),
}


class Cargo:
    """The packages that are linked into the programs."""

    def __init__(self, root, packages, features):
        self.root, self.packages, self.features = Path(root), packages, features
        arguments = ["--locked", "--manifest-path", str(self.root / "Cargo.toml")]
        if features:
            arguments += ["--features", ",".join(features)]
        metadata = self._run("metadata", "--format-version", "1", "--filter-platform", TARGET, *arguments)
        self.by_id = {package["id"]: package for package in json.loads(metadata)["packages"]}
        self.nodes = {node["id"]: node for node in json.loads(metadata)["resolve"]["nodes"]}
        self.linked = self._linked(arguments)
        with open(self.root / "Cargo.lock", "rb") as file:
            locked = tomllib.load(file)["package"]
        self.digests = {(package["name"], package["version"]): package.get("checksum") for package in locked}

    def _run(self, *words):
        cargo = os.environ.get("CARGO", "cargo")
        answer = subprocess.run([cargo, *words], capture_output=True, text=True)
        if answer.returncode != 0:
            fail(f"`cargo {words[0]}` failed: {answer.stderr.strip()}", "mend that; `make toolchain` says whether cargo is there")
        return answer.stdout

    def _linked(self, arguments):
        selected = [word for package in self.packages for word in ("-p", package)]
        lines = self._run("tree", "-e", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}", "--target", TARGET, *selected, *arguments)
        names = {tuple(line.split()[:2]) for line in lines.splitlines() if line.strip()}
        # The tree may show more than these packages need, where features are chosen for a whole workspace.
        linked = {key for key in self._reachable() if (self.by_id[key]["name"], "v" + self.by_id[key]["version"]) in names}
        return sorted(linked, key=lambda key: (self.by_id[key]["name"], self.by_id[key]["version"]))

    def _normal(self, key):
        return {edge["pkg"] for edge in self.nodes[key]["deps"] if any(kind["kind"] is None for kind in edge["dep_kinds"])}

    def _reachable(self):
        waiting = [key for key, package in self.by_id.items() if package["source"] is None and package["name"] in self.packages]
        reached = set(waiting)
        while waiting:
            new = self._normal(waiting.pop()) - reached
            reached |= new
            waiting += new
        return reached

    def components(self):
        """One component per package, in the words of CycloneDX."""
        for key in self.linked:
            package = self.by_id[key]
            name, version = package["name"], package["version"]
            component = {"type": "library", "bom-ref": self.reference(key), "name": name, "version": version}
            if package["source"]:
                component["purl"] = self.reference(key)
            if licence(package):
                component["licenses"] = [{"expression": licence(package)}]
            digest = self.digests.get((name, version))
            if digest:
                component["hashes"] = [{"alg": "SHA-256", "content": digest}]
            if package["repository"] and package["source"]:
                component["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
            yield component

    def reference(self, key):
        """The name of a package within a list of parts."""
        package = self.by_id[key]
        kind = "cargo" if package["source"] else "ktrdr"
        return f"pkg:{kind}/{package['name']}@{package['version']}"

    def dependencies(self):
        """Who needs whom among the packages that are linked."""
        linked = set(self.linked)
        for key in self.linked:
            yield {"ref": self.reference(key), "dependsOn": sorted(self.reference(other) for other in self._normal(key) & linked)}

    def licences(self):
        """The packages of others with their licence and the texts that lie in them."""
        for key in self.linked:
            package = self.by_id[key]
            if package["source"]:
                folder = Path(package["manifest_path"]).parent
                yield f"{package['name']} {package['version']}", licence(package), licence_texts(folder)


def licence(package):
    """The licence of a package as an SPDX expression; older packages write a slash for "or"."""
    return re.sub(r"\s*/\s*", " OR ", package["license"] or "")


def licence_texts(folder):
    """The texts of licences in a folder, by the name of their file."""
    paths = [path for path in sorted(folder.glob("*")) if path.is_file() and LICENCE_FILE.match(path.name)]
    return {path.name: path.read_text(errors="replace").strip() + "\n" for path in paths}


def go_licence(module):
    """The licence of a module of Go in the NATS server."""
    for prefix, expression in GO_LICENCES.items():
        if module == prefix or module.startswith(prefix + "/"):
            return expression
    fail(f"the licence of {module} in the NATS server is not listed", "look it up, and add it to GO_LICENCES in infra/dist/parts.py")


def go_components(program):
    """The NATS server and the modules it is made of, itself first, and the version of Go."""
    go, modules = go_modules(program)
    if not modules:
        fail(f"{program} does not say which modules it is made of", "use a nats-server that was not stripped: infra/setup nats")
    components = []
    for number, (path, version) in enumerate(modules):
        purl = f"pkg:golang/{path}@{version}"
        kind = "application" if number == 0 else "library"
        components.append({"type": kind, "bom-ref": purl, "name": path, "version": version, "purl": purl, "licenses": [{"expression": go_licence(path)}]})
    standard = f"pkg:golang/std@{go}"
    components.append({"type": "library", "bom-ref": standard, "name": "std", "version": go, "purl": standard, "licenses": [{"expression": "BSD-3-Clause"}]})
    with open(program, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    components[0]["hashes"] = [{"alg": "SHA-256", "content": digest}]
    return components


def torch_components(stamp, folder):
    """The packages of a libtorch: from its stamp, as in `torch 2.13.0 cpu, cuda-runtime 13.0.96`, and those of NVIDIA beside it."""
    packages = {}
    for part in stamp.strip().split(", "):
        name, version = part.split()[:2]
        package, expression = TORCH_PACKAGES[name]
        packages[package] = (version, expression)
    for info in folder.glob("nvidia_*.dist-info"):
        name, version = info.name.removesuffix(".dist-info").rsplit("-", 1)
        packages[name.replace("_", "-")] = (version, "LicenseRef-NVIDIA-CUDA-EULA")

    components = []
    for package, (version, expression) in sorted(packages.items()):
        purl = f"pkg:pypi/{package}@{version}"
        components.append({"type": "library", "bom-ref": purl, "name": package, "version": version, "purl": purl, "licenses": licence_choice(expression)})
    return components


def licence_choice(expression):
    """A licence in the words of CycloneDX; what SPDX has no name for goes by its own."""
    if expression.startswith("LicenseRef-"):
        return [{"license": {"name": expression.removeprefix("LicenseRef-")}}]
    return [{"expression": expression}]


def bill_of_materials(name, version, mtime, cargo, others):
    """The list of parts in CycloneDX 1.6; `others` are components that no package of cargo brings."""
    root = f"pkg:ktrdr/{name}@{version}"
    components = sorted([*cargo.components(), *others], key=lambda component: component["bom-ref"])
    needs = [component["bom-ref"] for component in components if component["bom-ref"].startswith("pkg:ktrdr/")]
    server = [component["bom-ref"] for component in others]
    edges = list(cargo.dependencies()) + [{"ref": reference, "dependsOn": []} for reference in server]
    if others and others[0]["type"] == "application":
        edges = [edge for edge in edges if edge["ref"] != server[0]] + [{"ref": server[0], "dependsOn": sorted(server[1:])}]
    edges.append({"ref": root, "dependsOn": sorted(needs + server[:1])})

    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(mtime, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": root, "name": name, "version": version, "licenses": [{"expression": "Apache-2.0"}]},
        },
        "components": components,
        "dependencies": sorted(edges, key=lambda edge: edge["ref"]),
    }
    # The same parts have the same number.
    document["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True)).urn
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def third_party_licences(groups):
    """One text with the licences of all parts; a text that several of them share stands once."""
    lines, texts = ["Parts of other people, and their licences.", ""], {}
    for name, expression, files in groups:
        lines.append(f"{name}: {expression or 'see its text'}")
        for text in files.values():
            texts.setdefault(text, []).append(name)
    for text, names in sorted(texts.items(), key=lambda item: (sorted(item[1]), item[0])):
        lines += ["", "-" * 79, "Licence of " + ", ".join(sorted(set(names))), "-" * 79, "", text.rstrip()]
    return ("\n".join(lines) + "\n").encode()
