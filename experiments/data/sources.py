"""The raw files: what they are, where they come from, and how to find and verify one.

A file is verified by the sha256 of its unpacked bytes; for two originals only git blob ids are known.
`datasets/README.md` says where each checksum comes from.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shlex
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.base.errors import DatasetCorrupt, DatasetMissing
from experiments.base.paths import RAW

"""Where `experiments.fetch` puts files: an ignored cache inside the project."""

LIMIT = 1 << 30
"""Most bytes that a gzipped file may unpack to where its size is not known beforehand."""


@dataclass(frozen=True)
class Source:
    """One raw file.

    Attributes
    ----------
    path : str
        ``<key>/<file>``, below any data folder. The key may be written with ``-`` for ``_`` there, and the
        file may carry ``.gz``.
    page : str
        Where the file is published.
    licence : str
        As far as known.
    sha256 : str or None
        Sum of the unpacked bytes; None where only `blobs` are known.
    n_bytes : int or None
        Size of the unpacked file.
    blobs : tuple of str
        Git blob ids, any of which identifies the file; line endings (LF or CRLF) may differ.
    urls : tuple of str
        Direct addresses of the file itself or of a zip that holds it, tried in turn; empty where there is none.
    """

    path: str
    page: str
    licence: str
    sha256: str | None = None
    n_bytes: int | None = None
    blobs: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.sha256 or self.blobs):
            raise ValueError(
                f"{self.path}: a source needs a sha256 or git blob ids, else nothing proves the file"
            )

    @property
    def file(self) -> str:
        """The bare file name."""
        return self.path.rpartition("/")[2]

    @property
    def proof(self) -> str:
        """What identifies the file, for messages."""
        if self.sha256:
            return f"sha256 {self.sha256}" + (f", {self.n_bytes:,} bytes" if self.n_bytes else "")
        return f"git blob {' or '.join(self.blobs)}"

    def matches(self, content: bytes) -> bool:
        """Say whether `content` is this file, byte for byte (for `blobs`: line ends aside)."""
        if self.sha256:
            return hashlib.sha256(content).hexdigest() == self.sha256
        return any(git_blob(form) in self.blobs for form in line_end_forms(content))


def line_end_forms(content: bytes) -> Iterator[bytes]:
    """Yield `content` as it is, with LF and with CRLF line ends."""
    yield content
    lf = content.replace(b"\r\n", b"\n")
    yield lf
    yield lf.replace(b"\n", b"\r\n")


def git_blob(content: bytes) -> str:
    """Compute the id that git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def data_folders(data_dir: str | os.PathLike[str] | None = None) -> list[Path]:
    """List the folders that are searched, in order: `data_dir`, ``DENOGRAD_DATA``, ``datasets/raw``.

    Raises
    ------
    DatasetMissing
        If `data_dir` or ``DENOGRAD_DATA`` is given but is not a folder.
    """
    folders = []
    for origin, given in (("data_dir", data_dir), ("DENOGRAD_DATA", os.environ.get("DENOGRAD_DATA"))):
        if given:
            if not Path(given).expanduser().is_dir():
                raise DatasetMissing(f"{origin}={given} is not a folder. Correct it or leave it out.")
            folders.append(Path(given).expanduser())
    return [*dict.fromkeys(folders), RAW]


def locate(source: Source, data_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """Find the file of `source`, or None: the first folder that has it, unpacked before gzipped."""
    key, _, file = source.path.partition("/")
    for folder in data_folders(data_dir):
        for name in dict.fromkeys((key, key.replace("_", "-"))):
            for candidate in (folder / name / file, folder / name / f"{file}.gz"):
                if candidate.is_file():
                    return candidate
    return None


def unpack(path: Path, limit: int = LIMIT) -> bytes:
    """Read a file, gzipped or not.

    Parameters
    ----------
    path : Path
    limit : int
        Most bytes that a gzipped file may unpack to; no more are unpacked.

    Raises
    ------
    DatasetCorrupt
        If the gzip stream is truncated, damaged or longer than `limit`, or the file cannot be read.
    """
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetCorrupt(
            f"{path} cannot be unpacked ({error}): it is truncated or damaged. Delete it and get it again."
        ) from error
    if len(content) > limit:
        raise DatasetCorrupt(
            f"{path} unpacks to more than {limit:,} bytes, the most that the file may have: it is not the "
            "published one. Delete it and get it again."
        )
    return content


def read(
    source: Source, name: str, data_dir: str | os.PathLike[str] | None = None, verify: bool = True
) -> tuple[bytes, str]:
    """Read and verify one raw file of the dataset `name`.

    Returns
    -------
    content : bytes
        Unpacked.
    sha256 : str
        The sum found.

    Raises
    ------
    DatasetMissing
        If no searched folder has the file.
    DatasetCorrupt
        If it is truncated or altered (not checked for sums if `verify` is False).
    """
    path = locate(source, data_dir)
    if path is None:
        size = f", {source.n_bytes / 1e6:.1f} MB" if source.n_bytes else ""
        proof = f"sha256 {source.sha256[:8]}..." if source.sha256 else source.proof
        searched = ", ".join(str(folder) for folder in data_folders(data_dir))
        raise DatasetMissing(
            f"{name!r} has no file {source.path} in {searched}. Get it with "
            f"'python -m experiments.fetch {name}' or copy it there ({proof}{size})."
        )
    content = unpack(path, 2 * source.n_bytes if verify and source.n_bytes else LIMIT)
    found = hashlib.sha256(content).hexdigest()
    if verify and not source.matches(content):
        wanted = next(filter(source.matches, line_end_forms(content)), None)
        if wanted is not None:
            had, has = ("CRLF", "LF or both") if b"\r\n" in wanted else ("LF", "CRLF")
            mend = r"sed -i 's/\r*$/\r/'" if had == "CRLF" else r"sed -i 's/\r$//'"
            packed = "unpack it, then " if path.suffix == ".gz" else ""
            raise DatasetCorrupt(
                f"{path} is the published file of {name!r} but for its line ends: they were {had} and something (git's "
                f"autocrlf, an editor) has made them {has}. Copy the file anew as it is, or turn them back: "
                f"{packed}{mend} {shlex.quote(str(path.with_suffix('') if packed else path))}"
            )
        raise DatasetCorrupt(
            f"{path} is not the published file of {name!r}: expected {source.proof}; found sha256 {found}, "
            f"{len(content):,} bytes. Delete it and get it with 'python -m experiments.fetch {name}' "
            f"or from {source.page}."
        )
    return content, found


_UCI = "https://archive.ics.uci.edu"
_KAGGLE = "https://www.kaggle.com/datasets/"
_KAGGLE_ZIP = "https://www.kaggle.com/api/v1/datasets/download/"
_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/"
_LATTICE = (
    f"{_UCI}/static/public/1091/lattice-physics+(pwr+fuel+assembly+neutronics+simulation+results).zip",
)
_CLIMATE = "sumanthvrao/daily-climate-time-series-data"


def _ett(file: str, sha256: str, n_bytes: int) -> Source:
    page, licence = "https://github.com/zhouhaoyi/ETDataset", "CC BY-ND 4.0: pass on unchanged"
    return Source(f"ett/{file}", page, licence, sha256, n_bytes, urls=(_ETT + file,))


SOURCES: dict[str, Source] = {
    source.path: source
    for source in (
        Source(
            "house_prices/kc_house_data.csv",
            f"{_KAGGLE}harlfoxem/housesalesprediction",
            "CC0 (from memory)",
            "d0875baa0251b21d4bdc9d2ae940a4fe0bb6009824f23dd0e2a5b2bf04557b7e",
            2_515_206,
            urls=(f"{_KAGGLE_ZIP}harlfoxem/housesalesprediction",),
        ),
        Source(
            "lattice_physics/raw.csv",
            f"{_UCI}/dataset/1091",
            "CC BY 4.0",
            blobs=("b6f408ad501410a11f24fe39820e3322e548b979", "3c98846c1c22fc78fe658c0a5b8a599bb0c947e0"),
            urls=_LATTICE,
        ),
        Source(
            "lattice_physics/test.csv",
            f"{_UCI}/dataset/1091",
            "CC BY 4.0",
            "fef7f9279049c7e314a4e65f3cfdb6a35e3c26ded97d039f2548067d5a1a4528",
            177_552,
            urls=_LATTICE,
        ),
        Source(
            "parkinsons/parkinsons_updrs.data",
            f"{_UCI}/dataset/189/parkinsons+telemonitoring",
            "CC BY 4.0 (from memory)",
            "f2c7d5025dec4e92e7feae367a5f7ccf58789a10ac6b54bdf15976c599f9dd39",
            911_261,
            urls=(f"{_UCI}/static/public/189/parkinsons+telemonitoring.zip",),
        ),
        Source(
            "rt_iot2022/RT_IOT2022.csv",
            f"{_UCI}/dataset/942/rt-iot2022",
            "CC BY 4.0",
            "4bddd1dab531554dd7cf68f5940046a209a92a8d18d6b66f742636aee2cb16a5",
            54_781_796,
            urls=(f"{_UCI}/static/public/942/rt-iot2022.zip",),
        ),
        Source(
            "support2/support2.csv",
            f"{_UCI}/dataset/880/support2",
            "CC BY 4.0 (from memory)",
            "585c660790dce9305deb8a5beb861b5eb7ec8d7bf03d51e6273495f2dfbc4181",
            3_150_838,
            urls=("https://hbiostat.org/data/repo/support2csv.zip", f"{_UCI}/static/public/880/support2.zip"),
        ),
        Source(
            "daily_climate/DailyDelhiClimateTrain.csv",
            _KAGGLE + _CLIMATE,
            "CC0 (from memory)",
            "436002a3aef6647ae343e440b67b61d04e380bad3c60284e2cdc660d91514977",
            78_199,
            urls=(_KAGGLE_ZIP + _CLIMATE,),
        ),
        Source(
            "daily_climate/DailyDelhiClimateTest.csv",
            _KAGGLE + _CLIMATE,
            "CC0 (from memory)",
            "76ab2829fd7577c98d8b41c296a4fe4552d88d45538e663c856d16bd1b07bdbe",
            7_100,
            urls=(_KAGGLE_ZIP + _CLIMATE,),
        ),
        Source(
            "ecl/ECL.csv",
            "the data folder linked from https://github.com/zhouhaoyi/Informer2020",
            "CC BY 4.0 for the raw data (from memory)",
            blobs=("c38ae9875b7dc069d022f6c708d61b791cbf1f4a",),
        ),
        Source(
            "ecl/electricity_excerpt_1000x203.csv",
            "an unofficial cut of https://archive.ics.uci.edu/dataset/321/electricityloaddiagrams20112014",
            "CC BY 4.0 for the raw data (from memory)",
            "aaefecee23313ce369d53b8f6bac69dcc688e7f86e93c44c3411e1ecf526987d",
            871_259,
        ),
        _ett("ETTh1.csv", "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066", 2_589_657),
        _ett("ETTh2.csv", "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b", 2_417_960),
        _ett("ETTm1.csv", "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e", 10_360_719),
        _ett("ETTm2.csv", "db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd", 9_677_236),
        Source(
            "microsoft_stock/Microsoft_Stock.csv",
            f"{_KAGGLE}vijayvvenkitesh/microsoft-stock-time-series-analysis",
            "not known; see the page",
            "d3df8b7302dccbad385599130d146edfdcce217cfd5822295e9737be11310c65",
            80_193,
            urls=(f"{_KAGGLE_ZIP}vijayvvenkitesh/microsoft-stock-time-series-analysis",),
        ),
        Source(
            "wth/WTH.csv",
            "the data folder linked from https://github.com/zhouhaoyi/Informer2020",
            "raw data: US government work; the prepared file states none",
            "5635e7f2d8f947f9abc6bc7077c907fb760eef111855a6805f096e9acff581bc",
            2_031_564,
        ),
    )
}
