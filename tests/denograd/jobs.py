"""Twelve files as they come from people's jobs: each writes itself into a folder, and knows its clean values.

The curves are made up, the shapes of the files are not.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class JobFile:
    """One file.

    Attributes
    ----------
    path : Path
    clean : DataFrame
        Of the columns that have noise; NaN where the file has nothing.
    sigma : dict
        Their noise.
    said : tuple of str
        What the command must say of it.
    """

    path: Path
    clean: pd.DataFrame
    sigma: dict[str, float]
    said: tuple[str, ...]


def curves(n: int, seed: int) -> np.ndarray:
    """Four smooth columns that know of each other, (n, 4), of size 1."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / 12
    a, b = np.sin(t + rng.uniform(0, 6)), np.cos(0.7 * t + rng.uniform(0, 6))
    return np.column_stack([a, b, 0.8 * a + 0.6 * b, a * b])


def mixtures(n: int, seed: int) -> np.ndarray:
    """Four columns of a table, of size 1, two of them made of the others."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    return np.column_stack([a, b, (a + b) / 2**0.5, (a - b) / 2**0.5])


def noisy(clean: pd.DataFrame, sigma: dict[str, float], seed: int = 9) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return clean + rng.normal(size=clean.shape) * [sigma[name] for name in clean.columns]


def text(frame: pd.DataFrame, **options: object) -> str:
    return str(frame.to_csv(index=False, lineterminator="\n", **{"float_format": "%.4f", **options}))  # type: ignore[call-overload]


def logger(folder: Path) -> JobFile:
    clean = pd.DataFrame(
        curves(900, 0)[:, :3] * [5, 10, 1] + [20, 50, 3], columns=["temp", "humidity", "flow"]
    )
    sigma = {"temp": 1.0, "humidity": 2.0, "flow": 0.2}
    log = noisy(clean, sigma).map("{:.3f}".format)
    log.loc[40:52, "flow"] = "ERR"
    clean.loc[40:52, "flow"] = np.nan
    log.insert(
        0, "timestamp", pd.date_range("2024-03-01", periods=900, freq="10min").strftime("%Y-%m-%d %H:%M:%S")
    )
    log["status"] = np.where(np.arange(900) % 50 < 45, "OK", "CHECK")
    path = folder / "logger.csv"
    path.write_text("Logger 7, firmware 2.1\nserial 00123\n" + log.to_csv(index=False))
    said = (
        "a series, in the order of 'timestamp'",
        "2 lines above the header",
        "'ERR' (13 times)",
        "text of 2 levels",
    )
    return JobFile(path, clean, sigma, said)


def weather(folder: Path) -> JobFile:
    names = ["T", "RH", "wind", "p"]
    clean = pd.DataFrame(curves(1000, 1) * [8, 15, 3, 5] + [12, 60, 8, 1010], columns=names)
    sigma = {"T": 1.5, "RH": 3.0, "wind": 0.6, "p": 1.0}
    data = noisy(clean, sigma)
    rows = np.random.default_rng(3).permutation(1000)[:60]
    data.loc[rows, "T"] = 9999
    clean.loc[rows, "T"] = np.nan
    data.insert(0, "Datum", pd.date_range("2023-01-01", periods=1000, freq="h").strftime("%d.%m.%Y %H:%M"))
    path = folder / "station.txt"
    path.write_text(text(data, sep="\t"))
    return JobFile(path, clean, sigma, ("tab", "9999 (60 times)", "in the order of 'Datum'"))


def laboratory(folder: Path) -> JobFile:
    clean = pd.DataFrame(mixtures(500, 2) * 3 + 20, columns=["pH", "conductivity", "turbidity", "nitrate"])
    sigma = dict.fromkeys(clean.columns, 1.5)
    data = noisy(clean, sigma)
    data.insert(0, "sample", [f"L{i:04}" for i in range(500)])
    path = folder / "lab.csv"
    head, _, rest = text(data).partition("\n")
    path.write_text(f"{head}\n,-,µS/cm,NTU,mg/L\n{rest}", encoding="utf-8-sig")
    return JobFile(path, clean, sigma, ("holds units", "NTU", "all distinct, in the first column", "a table"))


def continental(folder: Path) -> JobFile:
    clean = pd.DataFrame(curves(800, 3)[:, :3] * 1000 + 5000, columns=["Größe", "Menge", "Preis €"])
    sigma = dict.fromkeys(clean.columns, 200.0)
    data = noisy(clean, sigma)
    data.insert(0, "Monat", pd.date_range("2000-01-01", periods=800, freq="D").strftime("%d.%m.%Y"))
    path = folder / "export.csv"
    path.write_bytes(text(data, sep=";", decimal=",").encode("cp1252"))
    return JobFile(path, clean, sigma, ("semicolon", "decimal comma", "encoded as cp1252"))


def prices(folder: Path) -> JobFile:
    days = pd.bdate_range("2019-01-01", periods=900)
    clean = pd.DataFrame(
        100 + 10 * curves(900, 4)[:, [0]] + np.array([0.0, 0.5, -0.5]), columns=["open", "high", "low"]
    )
    sigma = dict.fromkeys(clean.columns, 1.5)
    data = noisy(clean, sigma)
    data.insert(0, "Date", days.strftime("%m/%d/%Y"))
    data["volume"] = np.random.default_rng(0).integers(10**5, 10**6, 900)
    kept = np.sort(np.random.default_rng(1).permutation(900)[:850])
    path = folder / "prices.csv"
    path.write_text(text(data.iloc[kept]))
    return JobFile(
        path, clean.iloc[kept].reset_index(drop=True), sigma, ("in the order of 'Date'", "whole numbers")
    )


def survey(folder: Path) -> JobFile:
    rng = np.random.default_rng(5)
    clean = pd.DataFrame(mixtures(600, 5)[:, [0, 1, 2]], columns=["income", "rent", "savings"]) * 500 + 2000
    sigma = dict.fromkeys(clean.columns, 200.0)
    data = noisy(clean, sigma)
    data.insert(0, "respondent", np.arange(1, 601))
    for name, words in {"sex": "f m", "region": "north south east west", "owner": "yes no"}.items():
        data[name] = rng.choice(words.split(), 600)
    data["remark"] = [f"said {i}" for i in range(600)]
    path = folder / "survey.csv"
    path.write_text(text(data))
    return JobFile(
        path, clean, sigma, ("text of 4 levels", "most of it distinct", "all distinct, in the first column")
    )


def shares(folder: Path) -> JobFile:
    clean = pd.DataFrame(mixtures(500, 6) * 10 + 50, columns=["cpu", "memory", "disk", "net"])
    sigma = dict.fromkeys(clean.columns, 4.0)
    data = noisy(clean, sigma).map("{:.2f}%".format)
    path = folder / "shares.csv"
    path.write_text(data.to_csv(index=False))
    return JobFile(path, clean, sigma, ("percent signs are taken off",))


def machine(folder: Path) -> JobFile:
    clean = pd.DataFrame(curves(900, 7)[:, :3], columns=["ax", "ay", "az"])
    sigma = dict.fromkeys(clean.columns, 0.25)
    data = noisy(clean, sigma)
    data.insert(0, "timestamp", 1_700_000_000_000 + 100 * np.arange(900))
    path = folder / "machine.csv.gz"
    path.write_bytes(gzip.compress(text(data).encode()))
    return JobFile(path, clean, sigma, ("counts ms since 1970", "a series"))


def spreadsheet(folder: Path) -> JobFile:
    clean = pd.DataFrame(curves(400, 8)[:, :3] * 4, columns=["inlet", "outlet", "ambient"])
    sigma = dict.fromkeys(clean.columns, 1.0)
    data = noisy(clean, sigma)
    data.insert(0, "time", pd.date_range("2022-05-01", periods=400, freq="h"))
    path = folder / "book.xlsx"
    data.to_excel(path, index=False)
    return JobFile(path, clean, sigma, ("in the order of 'time'",))


def warehouse(folder: Path) -> JobFile:
    clean = pd.DataFrame(mixtures(600, 9), columns=["weight", "length", "width", "height"])
    sigma = dict.fromkeys(clean.columns, 0.4)
    data = noisy(clean, sigma).assign(fragile=np.arange(600) % 2 == 0, shelf=np.arange(600) % 7)
    path = folder / "items.parquet"
    data.to_parquet(path)
    return JobFile(path, clean, sigma, ("true or false", "a table"))


def instrument(folder: Path) -> JobFile:
    clean = pd.DataFrame(curves(700, 10)[:, :2], columns=["ch1", "ch2"])
    sigma = dict.fromkeys(clean.columns, 0.3)
    data = noisy(clean, sigma)
    data.insert(0, "t", np.arange(700) * 0.01)
    path = folder / "scope.dat"
    path.write_text(text(data, sep=" ").replace(" ", "   "))
    return JobFile(path, clean, sigma, ("blanks", "rises from row to row"))


def one_sensor(folder: Path) -> JobFile:
    clean = pd.DataFrame(curves(900, 11)[:, [0]] * 3, columns=["level"])
    sigma = {"level": 0.8}
    path = folder / "level.csv"
    path.write_text(text(noisy(clean, sigma)))
    return JobFile(path, clean, sigma, ("a series, in the order of its rows",))


JOBS: dict[str, Callable[[Path], JobFile]] = {
    **{"logger": logger, "weather": weather, "laboratory": laboratory, "continental": continental},
    **{"prices": prices, "survey": survey, "shares": shares, "machine": machine, "spreadsheet": spreadsheet},
    **{"warehouse": warehouse, "instrument": instrument, "one sensor": one_sensor},
}
