"""A library `huggingface_hub` that serves a local folder: FOLDER/owner/name/revision/files."""

import pathlib
import shutil
import types


class RepositoryNotFoundError(Exception):
    """404 of the hub."""


class GatedRepoError(RepositoryNotFoundError):
    """403 of the hub."""


class RevisionNotFoundError(Exception):
    """404 of the hub, for a revision."""


class HFValidationError(ValueError):
    """A name that the hub does not know as one."""


class FakeHub(types.ModuleType):
    """The part of the library that `keras_mri.saving.hub` uses.

    Parameters
    ----------
    served, cache : pathlib.Path
        Folders of the hub and of the copies on this computer.
    """

    def __init__(self, served, cache):
        super().__init__("huggingface_hub")
        self.served, self.cache, self.online, self.asked = served, cache, True, []
        self.errors = types.ModuleType("huggingface_hub.errors")
        for error in (RepositoryNotFoundError, GatedRepoError, RevisionNotFoundError, HFValidationError):
            vars(self.errors)[error.__name__] = error
        self.HfApi = lambda: self

    def model_info(self, repository, revision, files_metadata, timeout):
        """List a revision's files."""
        self.asked.append(repository)
        if not self.online:
            raise ConnectionError("no route to host\nmore of it")
        if repository.endswith("..it"):
            raise HFValidationError("Cannot have -- or .. in repo_id")
        if repository.startswith("gated/"):
            raise GatedRepoError("403")
        if not (self.served / repository).is_dir():
            raise RepositoryNotFoundError("404")
        folder = self.served / repository / (revision or "main")
        if not folder.is_dir():
            raise RevisionNotFoundError("404")
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        entries = [types.SimpleNamespace(rfilename=path.relative_to(folder).as_posix(), size=path.stat().st_size) for path in files]
        return types.SimpleNamespace(siblings=entries)

    def hf_hub_download(self, repository, file, revision):
        """Copy a file into the cache."""
        if not self.online:
            raise ConnectionError("no route to host")
        copy = self.cache / repository / (revision or "main") / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.served / repository / (revision or "main") / file, copy)
        return str(copy)

    def scan_cache_dir(self):
        """Describe the cache as the library does."""
        if not self.cache.is_dir():
            raise OSError("no cache")
        repositories = []
        for folder in self.cache.glob("*/*"):
            revisions = [self._revision(place) for place in folder.iterdir()]
            name = folder.relative_to(self.cache).as_posix()
            repositories.append(types.SimpleNamespace(repo_type="model", repo_id=name, revisions=revisions))
        return types.SimpleNamespace(repos=repositories)

    @staticmethod
    def _revision(place):
        files = [types.SimpleNamespace(file_path=path) for path in place.rglob("*") if path.is_file()]
        return types.SimpleNamespace(refs={place.name}, commit_hash="f00", snapshot_path=pathlib.Path(place), files=files)
