"""The plain-text scripts that say what the statistics mean: readings in, a question, the answer.

    # a comment
    load 1 2024-03-31T00:00:00Z 2.5
    load 1 2024-03-31T01:00:00Z every 1h 1 2 _ 4 open
    clear
    eval of=1,2 stats=count,sum interval=1d tz=Europe/Berlin start=… end=…
      2024-03-31T00:00:00+01:00 count=3 sum=7.5

`load` adds readings to a series (`_` leaves one out; words are text states, `true` and `false` are
1 and 0). `clear` forgets everything. `eval` asks about the series named by `of`, taken together,
and about everything loaded so far; only `of` and `stats` are needed. The indented rows are the
answer, one per bucket that has readings, with the bucket's start; without an interval there is one
row and no start. Buckets cover the first to the last reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


@dataclass(frozen=True)
class Row:
    start: int | None
    """Where the bucket begins; None where the whole period is one."""
    values: dict[str, float | int | None]


@dataclass
class Eval:
    line: int
    series: list[int]
    stats: list[str]
    interval: str | None
    zone: str
    start: int | None
    end: int | None
    readings: int
    """How many of the script's readings had been loaded before."""
    expected: list[Row] = field(default_factory=list)


@dataclass
class Script:
    path: Path
    part: int
    """Which of the file's parts, that `clear` divides."""
    readings: list[tuple[int, int, float | str]] = field(default_factory=list)
    evals: list[Eval] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.path.stem}-{self.part}"


def micros(text: str) -> int:
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None, f"{text} needs an offset"
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _value(word: str) -> float | str:
    if word in {"true", "false"}:
        return float(word == "true")
    try:
        return float(word)
    except ValueError:
        return word


def _load(words: Sequence[str]) -> list[tuple[int, int, float | str]]:
    series, time = int(words[0]), micros(words[1])
    if words[2] != "every":
        return [(series, time, _value(words[2]))]
    unit = words[3].lstrip("0123456789")
    step = int(words[3].removesuffix(unit)) * _STEPS[unit]
    return [
        (series, time + i * step, _value(word)) for i, word in enumerate(words[4:]) if word != "_"
    ]


def _eval(line: int, words: Sequence[str], readings: int) -> Eval:
    options = dict(word.split("=", 1) for word in words)
    question = Eval(
        line=line,
        series=[int(id) for id in options.pop("of").split(",")],
        stats=options.pop("stats").split(","),
        interval=options.pop("interval", None),
        zone=options.pop("tz", "UTC"),
        start=micros(options.pop("start")) if "start" in options else None,
        end=micros(options.pop("end")) if "end" in options else None,
        readings=readings,
    )
    assert not options, f"line {line}: what is {options}?"
    return question


def _row(words: Sequence[str]) -> Row:
    start = None if "=" in words[0] else micros(words[0])
    pairs = (word.split("=", 1) for word in words if "=" in word)
    return Row(start, {name: _number(text) for name, text in pairs})


def _number(text: str) -> float | int | None:
    if text == "null":
        return None
    return int(text) if text.isdigit() else float(text)


def read_script(path: Path) -> list[Script]:
    """The parts of one file."""
    scripts = [Script(path, 1)]
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        words = line.split("#", 1)[0].split()
        script = scripts[-1]
        match words:
            case []:
                continue
            case ["load", *rest]:
                script.readings += _load(rest)
            case ["clear"]:
                scripts.append(Script(path, script.part + 1))
            case ["eval", *rest]:
                script.evals.append(_eval(number, rest, len(script.readings)))
            case _:
                assert line.startswith("  "), f"{path.name}, line {number}: {line!r}"
                script.evals[-1].expected.append(_row(words))
    return scripts


def read_scripts(directory: Path) -> list[Script]:
    return [script for path in sorted(directory.glob("*.test")) for script in read_script(path)]


def _text(row: Row, zone: str) -> str:
    words = [
        f"{name}={'null' if value is None else repr(value)}" for name, value in row.values.items()
    ]
    if row.start is not None:
        moment = (_EPOCH + timedelta(microseconds=row.start)).astimezone(ZoneInfo(zone))
        words.insert(0, moment.isoformat())
    return "  " + " ".join(words)


def rewrite(script: Script, answers: Sequence[Sequence[Row]]) -> None:
    """Put the answers below the script's questions in its file, in place of those there."""
    lines = script.path.read_text("utf-8").splitlines()
    # From the end, so that the line numbers of the questions before stay right.
    for question, rows in reversed(list(zip(script.evals, answers, strict=True))):
        after = question.line
        while after < len(lines) and lines[after].startswith("  "):
            del lines[after]
        lines[after:after] = [_text(row, question.zone) for row in rows]
    script.path.write_text("\n".join(lines) + "\n", "utf-8")
