"""Files as people have them are read, with every decision said; what is no table is refused in its own words."""

import gzip
import lzma
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from denograd.table import TableError, read_table
from tests.denograd.table.malformed import BROKEN, ODD, rows, text, write, zipped


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_table_is_refused_in_its_own_words(case, tmp_path):
    build, problem, words = BROKEN[case]
    path = build(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(TableError) as caught:
        read_table(path)
    assert (caught.value.problem, caught.value.path) == (problem, path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("case", ODD)
def test_what_can_be_read_is_and_the_decision_is_said(case, tmp_path):
    content, what, words = ODD[case]
    table = read_table(write(tmp_path, content))
    assert len(table.frame)
    if what:
        said = [str(note) for note in table.notes if note.what == what]
        assert any(words in line for line in said), said


def test_no_permission(tmp_path, monkeypatch):
    path = write(tmp_path, b"a,b\n1,2\n")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # a superuser may read what nobody else may
    with pytest.raises(TableError, match="no permission to read it") as caught:
        read_table(path)
    assert caught.value.problem == "permission"


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TableError, match="no regular file"):
        read_table(tmp_path / "pipe")


def test_a_bomb_takes_little_memory(tmp_path):
    path = write(tmp_path, gzip.compress(b"1.5,2.5\n" * 100_000_000), "a.csv.gz")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TableError, match="zip bomb"):
        read_table(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB; unpacked it has 800 MB


VALUES = [1.5, -2.25, 1234.5, 0.0, 3e-5]
SPELLINGS = {
    "plain": (",", ["1.5", "-2.25", "1234.5", "0", "3e-5"]),
    "decimal comma": (";", ["1,5", "-2,25", "1234,5", "0", "3e-5"]),
    "continental": (";", ["1,5", "-2,25", "1.234,5", "0", "3e-5"]),
    "English": (",", ["1.5", "-2.25", '"1,234.5"', "0", "3e-5"]),
    "Swiss": (";", ["1.5", "-2.25", "1'234.5", "0", "3e-5"]),
    "French": ("\t", ["1,5", "-2,25", "1\u202f234,5", "0", "3e-5"]),
    "percent": ("|", ["1.5%", "-2.25 %", "1234.5%", "0%", "3e-5%"]),
    "minus sign": (",", ["1.5", "\u22122.25", "1234.5", "0", "3e-5"]),
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_numbers_in_any_spelling(name, line_end, tmp_path):
    sign, spelt = SPELLINGS[name]
    lines = [sign.join(("n", "label", "value"))]
    lines += [sign.join((str(i), f"x{i}", value)) for i in range(5) for value in [spelt[i]]]
    frame = read_table(write(tmp_path, line_end.join(lines).encode())).frame
    assert_allclose(frame["value"].to_numpy(dtype=float), VALUES)
    assert frame["label"].tolist() == [f"x{i}" for i in range(5)]


@pytest.mark.parametrize(
    "marker", ["", "NA", "n/a", "-", "--", "?", "null", "NaN", "#N/A", "None", " ", "-999", "1e20"]
)
def test_missing_values_in_any_spelling(marker, tmp_path):
    values = [f"{5 + v / 7:.3f}" for v in range(40)]
    values[3] = values[17] = marker
    found = read_table(write(tmp_path, text("a,b", *[f"1.5,{v}" for v in values]))).frame["b"]
    assert found.dtype == float
    assert np.flatnonzero(found.isna()).tolist() == [3, 17]


def test_a_number_that_could_be_a_value_is_kept(tmp_path):
    pressure = [f"{v}.25" for v in range(960, 1030)]
    pressure[5] = pressure[9] = "999"
    assert read_table(write(tmp_path, text("p,q", *[f"{p},1.5" for p in pressure]))).frame["p"].notna().all()


@pytest.mark.parametrize(
    ("form", "step"),
    [
        ("%Y-%m-%d", "1D"),
        ("%Y-%m-%dT%H:%M:%S", "1h"),
        ("%d.%m.%Y %H:%M", "7h"),
        ("%m/%d/%Y", "1D"),
        ("%d/%m/%Y %H:%M", "5h"),
        ("%d-%b-%Y", "1D"),
        ("%m/%d/%Y %I:%M:%S %p", "1h"),
        ("%Y%m%dT%H%M%S", "10min"),
    ],
)
def test_dates(form, step, tmp_path):
    days = pd.date_range("2020-01-25", periods=60, freq=step)
    table = read_table(
        write(tmp_path, text("reading time;x", *[f"{d:{form}};{i},5" for i, d in enumerate(days)]))
    )
    assert table.time == "reading time"
    assert (table.frame["reading time"].to_numpy() == days.to_numpy()).all()
    assert table.dates == {"reading time": form}


def test_time_of_a_number(tmp_path):
    path = write(tmp_path, text("t,x", *[f"{v / 10},1.{v}" for v in range(20)]))
    assert read_table(path).time == "t"
    falling = write(tmp_path, text("t,x", *[f"{-v / 10},1.{v}" for v in range(20)]))
    assert read_table(falling).time is None
    assert read_table(falling, time="x").time == "x"
    with pytest.raises(TableError, match="near names: t, x"):
        read_table(falling, time="y")


def test_whole_numbers_stay_whole_with_gaps_among_them(tmp_path):
    frame = read_table(
        write(tmp_path, text("a,b,c", *[f"{v},{v}.0,{v if v % 5 else ''}" for v in range(20)], ",,"))
    ).frame
    assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "float64", "Int64"]


PACKERS = {
    "csv": lambda data: data,
    "csv.gz": gzip.compress,
    "csv.xz": lzma.compress,
    "zip": lambda data: zipped("inside.csv", data),
    "txt": lambda data: data.replace(b",", b"\t"),
}


@pytest.mark.parametrize("kind", [*PACKERS, "parquet", "xlsx"])
def test_kinds_of_file(kind, tmp_path):
    days = pd.date_range("2021-03-01", periods=25, freq="h")
    frame = pd.DataFrame(
        {"time": days, "x": np.arange(25) / 4, "n": np.arange(25), "word": ["a", "b", "c", "d", "e"] * 5}
    )
    path = tmp_path / f"table.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "xlsx":
        frame.to_excel(path, index=False)
    else:
        path.write_bytes(PACKERS[kind](frame.to_csv(index=False).encode()))
    table = read_table(path)
    assert table.kind == {"parquet": "parquet", "xlsx": "excel"}.get(kind, "text")
    assert table.time == "time"
    pd.testing.assert_frame_equal(table.frame, frame, check_dtype=False)


def test_an_index_of_dates_in_parquet_is_a_column(tmp_path):
    frame = pd.DataFrame({"x": [1.5, 2.5]}, index=pd.date_range("2020", periods=2, name="when"))
    frame.to_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert (list(table.frame.columns), table.time) == (["when", "x"], "when")


def test_what_is_known_is_taken(tmp_path):
    path = write(tmp_path, "a;b\n1,500;x\n2,250;y\n".encode("utf-16"))
    frame = read_table(path, separator="semicolon", decimal=",", encoding="utf-16", missing=["x"]).frame
    assert frame["a"].tolist() == [1.5, 2.25]
    assert frame["b"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"separator": "::"}, "separator must be one sign or one of"),
        ({"decimal": "'"}, "decimal must be"),
        ({"encoding": "utf-7000"}, "not known to Python"),
    ],
)
def test_wrong_options(options, words, tmp_path):
    with pytest.raises(TableError, match=words) as caught:
        read_table(write(tmp_path, text("a,b", *rows(columns=2))), **options)
    assert caught.value.problem == "option"


def test_columns_of_an_export_with_titles_and_blank_lines(tmp_path):
    table = read_table(
        write(
            tmp_path,
            b"\r\n".join(
                [b"sep=;", b"Station 12;;", b"", b"Zeit;T;RH", b"", b"01.05.2020 10:00;1,5;30"] * 1
                + [b"%02d.05.2020 10:00;%d,25;31" % (d, d) for d in range(2, 20)]
            ),
        )
    )
    assert list(table.frame.columns) == ["Zeit", "T", "RH"]
    assert len(table.frame) == 19
    assert table.frame["T"].iloc[1] == 2.25


@pytest.mark.parametrize("package", ["pandas", "openpyxl", "pyarrow"])
def test_a_package_that_is_absent_is_named(package, tmp_path, monkeypatch):
    frame = pd.DataFrame({"x": [1.5, 2.5], "y": [1, 2]})
    path = tmp_path / {"pandas": "a.csv", "openpyxl": "a.xlsx", "pyarrow": "a.parquet"}[package]
    {"pandas": frame.to_csv, "openpyxl": frame.to_excel, "pyarrow": frame.to_parquet}[package](path)
    for module in [m for m in sys.modules if m.partition(".")[0] == package] + [package]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TableError, match=rf"needs {package}.*pip install 'denograd-harness\[cli\]'"):
        read_table(path)


def test_importing_tables_imports_no_pandas():
    code = "import sys, denograd.table; print('pandas' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def hours(count, form):
    return pd.date_range("2024-03-01 22:00", periods=count, freq="h").strftime(form)


def test_a_logger_with_a_line_of_its_own_and_three_rows_of_names(tmp_path):
    above = '"TOA5","CR1000","CR1000","123","Std.31","CPU:met.CR1","99","Table1"\n'
    names = '"TIMESTAMP","RECORD","BattV_Min","AirTC"\n"TS","RN","Volts","Deg C"\n"","","Min","Avg"\n'
    data = "".join(f'"{when}",{i},12.{i},2{i}.5\n' for i, when in enumerate(hours(9, "%Y-%m-%d %H:%M:%S")))
    (tmp_path / "met.dat").write_text(above + names + data)
    table = read_table(tmp_path / "met.dat")
    assert (list(table.frame.columns), len(table.frame)) == (["TIMESTAMP", "RECORD", "BattV_Min", "AirTC"], 9)
    assert (table.time, table.units["AirTC"]) == ("TIMESTAMP", "Deg C")
    assert any("TOA5" in str(note) for note in table.notes)


def test_a_clock_beside_the_date_is_part_of_the_time(tmp_path):
    rows = zip(hours(30, "%d.%m.%Y"), hours(30, "%H:%M"), range(30), strict=True)
    (tmp_path / "a.csv").write_text("Datum;Uhrzeit;kWh\n" + "".join(f"{d};{h};{i},5\n" for d, h, i in rows))
    table = read_table(tmp_path / "a.csv")
    assert table.frame["Datum"].tolist() == pd.date_range("2024-03-01 22:00", periods=30, freq="h").tolist()
    assert table.frame["Uhrzeit"].iloc[2] == "00:00"
    assert table.dates["Datum"] == "%d.%m.%Y"  # so they are written as they were


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (["$1,234.50", "-$2.25", "$3.00"], [1234.5, -2.25, 3.0]),
        (["12,50 €", "3,00 €", "1,25 €"], [12.5, 3.0, 1.25]),
    ],
)
def test_signs_of_money(written, values, tmp_path):
    (tmp_path / "a.csv").write_text(
        "item;price\n" + "".join(f"x;{field}\n" for field in written), encoding="utf-8"
    )
    table = read_table(tmp_path / "a.csv")
    assert table.frame["price"].tolist() == values
    assert any("signs of money are left out" in str(note) for note in table.notes)


def test_seconds_that_rise_are_the_time_of_a_file_without_a_header(tmp_path):
    (tmp_path / "a.csv").write_text("".join(f"{1700000000 + 60 * i},{i}.5\n" for i in range(20)))
    table = read_table(tmp_path / "a.csv")
    assert (table.time, table.frame["column_1"].dtype.kind) == ("column_1", "M")


def test_days_written_as_one_number(tmp_path):
    (tmp_path / "a.csv").write_text("day,x\n" + "".join(f"202403{day:02},{day}.5\n" for day in range(1, 30)))
    table = read_table(tmp_path / "a.csv")
    assert (table.time, table.dates) == ("day", {"day": "%Y%m%d"})
    assert table.frame["day"].iloc[-1] == pd.Timestamp("2024-03-29")


@pytest.mark.parametrize(
    "fields",
    [
        [f"{v}.25 °C" for v in range(20)],
        [f"{v}.25kg" if v % 5 else "ERR" for v in range(20)],
        [f"{v}.25 µg/m³" for v in range(20)],
        [f"{v}.25 m/s" for v in range(20)],
    ],
)
def test_a_unit_behind_every_number(fields, tmp_path):
    table = read_table(write(tmp_path, text("x,y", *[f"{field},1.5" for field in fields])))
    known = [v for v, field in enumerate(fields) if field != "ERR"]
    assert table.frame["x"].dropna().tolist() == [v + 0.25 for v in known]
    assert any("behind every number is left out" in str(note) for note in table.notes)


@pytest.mark.parametrize("fields", [["12A", "13", "14A"], ["12A", "13B", "14A"], ["1/2", "3/4", "1/4"]])
def test_what_only_looks_like_a_unit(fields, tmp_path):
    table = read_table(write(tmp_path, text("x,y", *[f"{field},1.5" for field in fields * 5])))
    assert table.frame["x"].tolist() == fields * 5


def test_one_month_in_words_is_one_reading(tmp_path):
    days = [f'"May {day:02}, 2024 10:30 PM",{day}.5' for day in range(1, 30)]
    table = read_table(write(tmp_path, text("day,x", *days)))
    assert not any("two days" in str(note) for note in table.notes)
    assert table.frame["day"].iloc[1] == pd.Timestamp("2024-05-02 22:30")
