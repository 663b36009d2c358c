"""Networks on the Hugging Face hub, `hf://owner/name`: which file is meant, and where its copy on this computer is.

Nothing is believed about what comes: it is a stranger's file, and is opened by the same guard as any other (`checkpoints.open_network`).
"""

import contextlib
import functools
import logging
import pathlib
import re
import typing

from keras_mri.errors import InputError, first_line, refused_by_system, remark

PREFIX = "hf://"
_FORM = "hf://owner/name, hf://owner/name/file.h5 or hf://owner/name/file.h5@revision"
_PART = r"\w(?:[\w.-]*\w)?"
_ADDRESS = re.compile(rf"hf://({_PART}/{_PART})(?:/([^@\\]+))?(?:@([\w.-]+(?:/[\w.-]+)*))?", re.ASCII)
_ENDINGS, _CARD = (".h5", ".keras"), "README.md"
# Bytes of the largest file that is fetched, and seconds until the hub must have answered.
_MOST, _PATIENCE = 2_000_000_000, 20


class Address(typing.NamedTuple):
    """Where a network lies on the hub.

    Parameters
    ----------
    repository : str
        owner/name.
    file : str or None
        Its place there; None for the only network.
    revision : str or None
        Branch, tag or commit; None for the main branch.
    """

    repository: str
    file: str | None
    revision: str | None

    def __str__(self):
        return PREFIX + self.repository + (f"/{self.file}" if self.file else "") + (f"@{self.revision}" if self.revision else "")


def is_address(model):
    """Return whether a network is given by its address on the hub: bool, False for a path or a name."""
    return isinstance(model, str) and model.startswith(PREFIX)


def parsed(model):
    """Take an address apart, without asking the hub.

    Parameters
    ----------
    model : str
        hf://owner/name[/file.h5][@revision].

    Returns
    -------
    Address

    Raises
    ------
    InputError
        If it has another form.
    """
    match = _ADDRESS.fullmatch(model)
    repository, file, revision = match.groups() if match else (None, None, None)
    strange = file and (not file.endswith(_ENDINGS) or {"", ".", ".."} & set(file.split("/")))
    if not match or strange or (revision or "").endswith(_ENDINGS):
        raise InputError(f"a network on the Hugging Face hub is written {_FORM}, and its file ends in .h5 or .keras. Received: {model!r}.")
    return Address(repository, file, revision)


@functools.lru_cache(maxsize=16)
def fetch(model):
    """Return the copy on this computer of a network on the hub; it is downloaded if it is not there yet, or is another one by now.

    One process asks the hub once for each address. Without a network the copy of last time is taken, with a remark.

    Parameters
    ----------
    model : str
        hf://owner/name[/file.h5][@revision].

    Returns
    -------
    pathlib.Path
        In the cache of `huggingface_hub`. Not yet looked into.

    Raises
    ------
    InputError
        If there is no such network or no way to it, the repository holds several and none is named, or `huggingface_hub` is missing.
    """
    address, hub = parsed(model), _library()
    with _quiet():
        try:
            found = _listed(hub, address)
        except _UnreachableError as away:
            return _copy_of_last_time(hub, address, str(away))
        file = _chosen(found, address)
        if (found[file] or 0) > _MOST:
            raise InputError(f"{address} has {found[file] / 1e9:.3g} GB. Expected a network of at most {_MOST / 1e9:g} GB.")
        try:
            return pathlib.Path(hub.hf_hub_download(address.repository, file, revision=address.revision))
        except Exception as error:  # of the transport, of the disk: each version of the library has its own
            raise InputError(f"{address} could not be downloaded: {refused_by_system(error) or first_line(error)}. Try again.") from error


def fetch_card(model):
    """Return the copy on this computer of the model card beside a network on the hub.

    Parameters
    ----------
    model : str
        As for `fetch`.

    Returns
    -------
    pathlib.Path or None
        None if there is none, or no way to it.
    """
    address, hub = parsed(model), _library()
    with _quiet():
        try:
            return pathlib.Path(hub.hf_hub_download(address.repository, _CARD, revision=address.revision))
        except Exception:  # of the transport: each version of the library has its own; the network is described without it
            return None


class _UnreachableError(Exception):
    """The hub gives no answer."""


def _library():
    """Return the library, or raise."""
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise InputError(
            f"networks on the Hugging Face hub need the library huggingface_hub ({first_line(error)}): "
            "pip install keras-mri-toolkit[hub]. Or download the file yourself and give its path."
        ) from error
    return huggingface_hub


def _listed(hub, address):
    """Return the networks of a repository: dict of name to bytes, or None where that is not known."""
    no = hub.errors
    try:
        entries = hub.HfApi().model_info(address.repository, revision=address.revision, files_metadata=True, timeout=_PATIENCE).siblings
    except no.GatedRepoError as error:
        raise InputError(f"{address} needs its owner's permission: ask for access on its page, then log in with hf auth login.") from error
    except no.RepositoryNotFoundError as error:
        raise InputError(
            f"there is no {PREFIX}{address.repository} on the Hugging Face hub, or it is private. Check owner and name; "
            "log in with hf auth login if it is private."
        ) from error
    except no.RevisionNotFoundError as error:
        raise InputError(
            f"{PREFIX}{address.repository} has no revision {address.revision!r}. Expected a branch, a tag or a commit."
        ) from error
    except no.HFValidationError as error:
        raise InputError(f"{str(address)!r} is no name of the Hugging Face hub: {first_line(error)}. Expected {_FORM}.") from error
    except Exception as error:  # of the transport: each version of the library has its own
        raise _UnreachableError(first_line(error)) from error
    # A stranger's names are printed: none may steer the terminal.
    names = {entry.rfilename: entry.size for entry in entries or ()}
    return {name: size for name, size in names.items() if name.endswith(_ENDINGS) and name.isprintable()}


def _chosen(found, address):
    """Return the name of the file that is meant: the one that is named, or the only one."""
    if address.file in found:
        return address.file
    files = [name for name in found if name.endswith(".h5")] or list(found)
    if address.file is None and len(files) == 1:
        return files[0]
    if not files:
        raise InputError(f"{address} holds no network: no file there ends in .h5 or .keras.")
    at = f"@{address.revision}" if address.revision else ""
    several = "\n  ".join(f"{PREFIX}{address.repository}/{name}{at}" for name in sorted(files))
    said = f"there is no {address.file} in {PREFIX}{address.repository}{at}" if address.file else f"{address} holds several networks"
    raise InputError(f"{said}. Name one of:\n  {several}")


def _copy_of_last_time(hub, address, reason):
    """Return the file in the cache, or raise: the hub cannot be reached."""
    found = _cached(hub, address)
    if not found:
        raise InputError(
            f"{address} cannot be fetched: the Hugging Face hub cannot be reached ({reason}), and this computer has no copy. "
            "Check the connection, or download the file elsewhere and give its path."
        )
    path = found[_chosen(dict.fromkeys(found), address)]
    remark(str(path), f"the Hugging Face hub cannot be reached ({reason}); the copy of last time is taken")
    return path


def _cached(hub, address):
    """Return the networks of a repository that are in the cache: dict of name to pathlib.Path."""
    try:
        repositories = hub.scan_cache_dir().repos
    except Exception:  # no cache yet; each version of the library has its own error
        return {}
    wanted = address.revision or "main"
    folders = [
        revision
        for repository in repositories
        if (repository.repo_type, repository.repo_id) == ("model", address.repository)
        for revision in repository.revisions
        if wanted in revision.refs or revision.commit_hash == wanted
    ]
    paths = [(folder, pathlib.Path(file.file_path)) for folder in folders for file in folder.files]
    return {path.relative_to(folder.snapshot_path).as_posix(): path for folder, path in paths if path.name.endswith(_ENDINGS)}


@contextlib.contextmanager
def _quiet():
    """Keep the library's log off the screen within the block: it tells of every new try, and we tell how it ended."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
