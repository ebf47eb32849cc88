"""Fetch an archive and verify it: `cifarbench download --url U --sha256 S --output FILE`."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from cifarbench.errors import UserError
from cifarbench.files import remove_strays

TRIES = 3
TIMEOUT_SECONDS = 60


def download(url: str, checksum: str | None, output: Path, progressbar: Any = False) -> None:
    """Download `url` to `output`, which appears only once its `checksum`, as `sha256:2c26...`, is right.

    `progressbar` is one as pooch takes it.
    Without a checksum it is what is made of it that is verified, by `normalise`.
    A broken transfer starts again from the beginning, TRIES times in all. Raise UserError otherwise.
    """
    import requests

    remedy = "or set `source` of this data set to a local copy"
    remove_strays(output)
    try:
        if not (checksum and output.is_file() and hash_of(output, checksum) == checksum):
            _fetch(url, checksum, output, progressbar)
    except requests.HTTPError as error:
        answer = str(error).split(" for url")[0]  # such as '404 Client Error: Not Found'
        raise UserError(f"{url}: the server answered {answer}; check the address, {remedy}") from None
    except requests.RequestException as error:
        raise UserError(f"{url}: download broke off: {error}; check the network, {remedy}") from None
    except ValueError:
        raise UserError(
            f"{url}: wrong checksum: what came does not have {' '.join(str(checksum).split(':'))}; "
            f"try again later, {remedy}"
        ) from None
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; make room and run again") from None


def hash_of(path: Path, like: str) -> str:
    """Hash a file with the algorithm that `like` names."""
    algorithm = like.partition(":")[0]
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _fetch(url: str, checksum: str | None, output: Path, progressbar: Any) -> None:
    import pooch

    # A folder of its own for what pooch writes meanwhile, so that the next call can clear up after a kill.
    folder = output.with_name(f".{output.name}.{os.getpid()}.part")
    pooch.get_logger().setLevel("WARNING")
    fetcher = pooch.create(
        path=folder,
        base_url="",
        registry={"archive": checksum},
        urls={"archive": url},
        retry_if_failed=TRIES - 1,
    )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        downloader = pooch.HTTPDownloader(progressbar=progressbar, timeout=TIMEOUT_SECONDS)
        fetcher.fetch("archive", downloader=downloader)
        (folder / "archive").replace(output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
