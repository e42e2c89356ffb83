"""From raw files to the frames of the benchmark: ten public datasets, their variants, embedded and synthetic ones.

Each recipe gives exactly the published shape; `datasets/README.md` tells what each one does and why.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO

import pandas as pd
from pandas.api.types import is_numeric_dtype

from experiments.base.errors import DatasetInvalid, UnknownName
from experiments.data import synthetic
from experiments.data.dataset import Dataset, Kind, frame_sum, require_columns
from experiments.data.sources import SOURCES, Source, read


@dataclass(frozen=True)
class Recipe:
    """How a dataset comes about.

    Attributes
    ----------
    name, kind, target
        As in `Dataset`.
    shape : (int, int)
        Published rows and columns, target included.
    files : tuple of str
        Keys of `SOURCES`; none for data that come with a package or are computed.
    prepare : callable
        Takes the unpacked content of each file, returns the frame.
    note : str
        What to know before quoting a number.
    groups : str
        Column of the prepared frame that names groups which no two parts share; it is no column of the dataset.
    revision : int
        To be raised when the resulting frame changes; see `experiments.base.code`.
    """

    name: str
    kind: Kind
    shape: tuple[int, int]
    target: str
    files: tuple[str, ...]
    prepare: Callable[..., pd.DataFrame]
    note: str = ""
    groups: str = ""
    revision: int = 1

    @property
    def sources(self) -> tuple[Source, ...]:
        """The raw files."""
        return tuple(SOURCES[file] for file in self.files)


def load_dataset(
    name: str, data_dir: str | os.PathLike[str] | None = None, *, verify: bool = True
) -> Dataset:
    """Read, verify and prepare a dataset.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.
    data_dir : path, optional
        Folder that is searched before ``DENOGRAD_DATA`` and ``datasets/raw``.
    verify : bool
        False accepts files with other sums, such as another distribution of the same table; the dataset then
        carries the sum that was found.

    Raises
    ------
    UnknownName, DatasetMissing, DatasetCorrupt, DatasetInvalid
    """
    if name not in DATASETS:
        raise UnknownName("dataset", name, DATASETS)
    recipe = DATASETS[name]
    found = [read(source, name, data_dir, verify) for source in recipe.sources]
    try:
        frame = recipe.prepare(*(content for content, _ in found))
    except DatasetInvalid:
        raise
    except (ValueError, KeyError) as error:  # pandas: no columns to parse, text in place of a number or date
        raise DatasetInvalid(f"{name!r}: cannot be read as expected: {error}") from error
    groups = frame.pop(recipe.groups).to_numpy() if recipe.groups else None
    text = [column for column in frame if not is_numeric_dtype(frame[column].dtype)]
    if not text:
        frame = frame.astype(float).reset_index(drop=True)
    sums = [sha256 for _, sha256 in found]
    identity = _join(sums) if sums else frame_sum(frame)
    return Dataset(name, recipe.kind, frame, recipe.target, identity, groups=groups)


def _join(sums: list[str]) -> str:
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


# ------------------------------------------------------------------------------------------ tabular


def _house_prices(raw: bytes) -> pd.DataFrame:
    frame = pd.read_csv(BytesIO(raw))
    require_columns(frame, ["id", "date", "price"], "house_prices")
    return frame.drop_duplicates("id").drop(columns=["id", "date"])


def _lattice_physics(raw: bytes) -> pd.DataFrame:
    frame = pd.read_csv(BytesIO(raw), sep=r"\s+", header=None)
    if frame.shape[1] != 41:
        raise DatasetInvalid(f"'lattice_physics': 41 blank-separated columns expected, got {frame.shape[1]}")
    frame.columns = pd.Index(["k-inf", "PPPF", *(f"rod_{i}" for i in range(1, 40))])
    return frame.drop(columns="PPPF")


def _parkinsons(raw: bytes) -> pd.DataFrame:
    frame = pd.read_csv(BytesIO(raw))
    require_columns(frame, ["subject#", "motor_UPDRS", "total_UPDRS"], "parkinsons")
    return frame.drop(columns=["subject#", "motor_UPDRS"])


def _parkinsons_by_subject(raw: bytes) -> pd.DataFrame:
    subject = pd.read_csv(BytesIO(raw))["subject#"]
    return _parkinsons(raw).assign(**{"subject#": subject})


def _rt_iot2022(raw: bytes) -> pd.DataFrame:
    frame = pd.read_csv(BytesIO(raw))
    frame = frame.rename(columns={frame.columns[0]: "no"})  # a second distribution leaves this name empty
    require_columns(frame, ["Attack_type", "proto", "service", "active.avg"], "rt_iot2022")
    frame = frame.drop(columns=["no", "Attack_type"])
    frame = frame.loc[:, frame.nunique() > 1].drop_duplicates()
    frame = pd.get_dummies(frame, columns=["proto", "service"], drop_first=True, dtype=float)
    activity = [c for c in frame if c.startswith(("active", "idle")) and c != "active.avg"]
    return frame.drop(columns=activity)


_SUPPORT2 = (  # noqa: SIM905
    "age death sex hospdead slos d.time dzgroup dzclass num.co edu income scoma charges totcst totmcst avtisst "
    "race sps aps surv2m surv6m hday diabetes dementia ca prg2m prg6m dnr dnrday meanbp wblc hrt resp temp pafi "
    "alb bili crea sod ph glucose bun urine adlp adls sfdm2 adlsc"
).split()


def _support2(raw: bytes) -> pd.DataFrame:
    frame = pd.read_csv(BytesIO(raw), skipinitialspace=True)
    require_columns(frame, _SUPPORT2, "support2")
    # Selecting by name drops the row number, whatever a distribution calls it.
    frame = frame[_SUPPORT2].drop(columns=["death", "hospdead", "sfdm2", "slos", "d.time"])
    frame = frame.loc[:, frame.isna().sum() <= 800].dropna()
    frame = frame.drop(columns=["dzclass", "ca", "dnr"])
    return pd.get_dummies(frame, columns=["sex", "dzgroup", "race"], drop_first=True, dtype=float)


def _diabetes() -> pd.DataFrame:
    from sklearn.datasets import load_diabetes

    return load_diabetes(scaled=False, as_frame=True).frame


# ------------------------------------------------------------------------------------------- series


def _series(*raw: bytes) -> pd.DataFrame:
    frames = [pd.read_csv(BytesIO(content)) for content in raw]
    require_columns(frames[0], ["date"], "series")
    return pd.concat(frames, ignore_index=True).drop(columns="date")


def _ecl(raw: bytes) -> pd.DataFrame:
    frame = pd.read_csv(BytesIO(raw), nrows=6_000)
    require_columns(frame, ["date", "MT_182", "MT_320"], "ecl")
    return frame.drop(columns=["date", "MT_182"])


def _microsoft_stock(raw: bytes) -> pd.DataFrame:
    frame = pd.read_csv(BytesIO(raw))
    require_columns(frame, ["Date", "Open", "High", "Low", "Close", "Volume"], "microsoft_stock")
    days = pd.to_datetime(frame.pop("Date"), format="%m/%d/%Y %H:%M:%S").dt.round("D")
    return frame.set_index(pd.DatetimeIndex(days)).asfreq("D").interpolate("time")


def _nasdaq() -> pd.DataFrame:
    from arch.data import nasdaq

    return nasdaq.load()[["Open", "High", "Low", "Close", "Volume"]]


def _ett(file: str, rows: int) -> Recipe:
    return Recipe(file.lower(), "series", (rows, 7), "OT", (f"ett/{file}.csv",), _series)


_WTH_NOTE = "Visibility is saturated at 10; gaps are written as 0 in a few rows"
_WTH = Recipe("wth", "series", (35_064, 12), "Visibility", ("wth/WTH.csv",), _series, _WTH_NOTE)
_LATTICE = Recipe(
    "lattice_physics", "tabular", (24_000, 40), "k-inf", ("lattice_physics/raw.csv",), _lattice_physics
)

DATASETS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "house_prices",
            "tabular",
            (21_436, 19),
            "price",
            ("house_prices/kc_house_data.csv",),
            _house_prices,
            "the first sale of each house",
        ),
        _LATTICE,
        Recipe(
            "parkinsons",
            "tabular",
            (5_875, 20),
            "total_UPDRS",
            ("parkinsons/parkinsons_updrs.data",),
            _parkinsons,
            "42 subjects, about 140 recordings each: a random split puts a subject in every part",
        ),
        Recipe(
            "rt_iot2022",
            "tabular",
            (117_915, 82),
            "active.avg",
            ("rt_iot2022/RT_IOT2022.csv",),
            _rt_iot2022,
            "very long tails: active.avg has a median of 4 and a maximum of 4e8",
        ),
        Recipe("support2", "tabular", (8_579, 33), "age", ("support2/support2.csv",), _support2),
        Recipe(
            "daily_climate",
            "series",
            (1_576, 4),
            "meantemp",
            ("daily_climate/DailyDelhiClimateTrain.csv", "daily_climate/DailyDelhiClimateTest.csv"),
            _series,
            "2017-01-01 is in twice, with different values; meanpressure has absurd outliers",
        ),
        Recipe(
            "ecl", "series", (6_000, 320), "MT_320", ("ecl/ECL.csv",), _ecl, "without the constant MT_182"
        ),
        replace(_ett("ETTh1", 17_420), name="ett"),
        Recipe(
            "microsoft_stock",
            "series",
            (2_192, 5),
            "Close",
            ("microsoft_stock/Microsoft_Stock.csv",),
            _microsoft_stock,
            "31 % of the rows are interpolated",
        ),
        _WTH,
        # Variants: never under a name of the benchmark.
        replace(
            _LATTICE,
            name="lattice_physics_test",
            shape=(360, 40),
            files=("lattice_physics/test.csv",),
            note="the official test file alone, not the benchmark's table",
        ),
        Recipe(
            "parkinsons_by_subject",
            "tabular",
            (5_875, 20),
            "total_UPDRS",
            ("parkinsons/parkinsons_updrs.data",),
            _parkinsons_by_subject,
            "parkinsons, split so that no subject is in two parts",
            groups="subject#",
        ),
        Recipe(
            "ecl_excerpt",
            "series",
            (1_000, 203),
            "OT",
            ("ecl/electricity_excerpt_1000x203.csv",),
            _series,
            "an unofficial cut of the electricity data, not the benchmark's table",
        ),
        replace(_WTH, name="wth_wetbulb", target="WetBulbCelsius", note="the target of other sources"),
        _ett("ETTh2", 17_420),
        _ett("ETTm1", 69_680),
        _ett("ETTm2", 69_680),
        # Embedded: they come with a package.
        Recipe("diabetes", "tabular", (442, 11), "target", (), _diabetes, "embedded (scikit-learn)"),
        Recipe(
            "nasdaq",
            "series",
            (5_031, 5),
            "Close",
            (),
            _nasdaq,
            "embedded (arch); Adj Close, equal to Close, is dropped",
        ),
        # Computed: the clean data are the truth.
        Recipe("poly2", "tabular", (2_000, 3), "y", (), synthetic.poly2, "synthetic, truth known"),
        Recipe("poly3", "tabular", (2_000, 4), "y", (), synthetic.poly3, "synthetic, truth known"),
        Recipe("seasonal", "series", (3_000, 4), "load", (), synthetic.seasonal, "synthetic, truth known"),
    )
}
