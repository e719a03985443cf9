"""Bundles taken apart and put together again, for tests."""

import hashlib
import io
import json
import zipfile


def apart(content):
    """Name -> content of the members of a bundle."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def together(members, signed=True):
    """A bundle of these members, with a manifest that has their checksums if it is to be `signed`."""
    members = dict(members)
    if signed:
        manifest = json.loads(members.pop("manifest.json"))
        manifest["members"] = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
        members["manifest.json"] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()
