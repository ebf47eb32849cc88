"""Fetch an archive and verify it: `cifarbench download --url U --sha256 S --output FILE`."""

from pathlib import Path

from cifarbench.errors import UserError

TRIES = 3
TIMEOUT_SECONDS = 60


def download(url: str, sha256: str, output: Path) -> None:
    """Download `url` to `output`, which appears only once its checksum is right.

    A broken transfer starts again from the beginning, TRIES times in all. Raise UserError otherwise.
    """
    import pooch
    import requests

    remedy = "or set `source` of this data set to a local copy"
    fetcher = pooch.create(
        path=output.parent,
        base_url="",
        registry={output.name: f"sha256:{sha256}"},
        urls={output.name: url},
        retry_if_failed=TRIES - 1,
    )
    pooch.get_logger().setLevel("WARNING")
    try:
        fetcher.fetch(output.name, downloader=pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS))
    except requests.HTTPError as error:
        answer = str(error).split(" for url")[0]  # such as '404 Client Error: Not Found'
        raise UserError(f"{url}: the server answered {answer}; check the address, {remedy}") from None
    except requests.RequestException as error:
        raise UserError(f"{url}: download broke off: {error}; check the network, {remedy}") from None
    except ValueError:
        raise UserError(
            f"{url}: wrong checksum: what came does not have sha256 {sha256}; try again later, {remedy}"
        ) from None
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; make room and run again") from None
