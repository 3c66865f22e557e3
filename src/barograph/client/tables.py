"""Results as tables of the data-frame libraries, where these are installed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]  # it ships no types
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped]  # as above


class Table(ABC):
    """Something with columns of one length."""

    @abstractmethod
    def columns(self) -> Mapping[str, Sequence[Any]]:
        """The columns by name, in order; what is not there is None, times are datetimes in UTC."""

    def to_pandas(self) -> "pd.DataFrame":
        """A pandas data frame; raises `ImportError` where pandas is not installed."""
        try:
            import pandas as pd  # noqa: PLC0415  # optional
        except ImportError:
            raise _missing("pandas") from None
        frame = pd.DataFrame(dict(self.columns()))
        for name in _TIMES & set(frame.columns):
            frame[name] = pd.to_datetime(frame[name], utc=True)
        return frame

    def to_polars(self) -> "pl.DataFrame":
        """A polars data frame; raises `ImportError` where polars is not installed."""
        try:
            import polars as pl  # noqa: PLC0415  # optional
        except ImportError:
            raise _missing("polars") from None
        return pl.DataFrame(
            self.columns(),
            schema_overrides={
                name: pl.Datetime("us", "UTC") for name in self.columns() if name in _TIMES
            },
            strict=False,
        )

    def to_arrow(self) -> "pa.Table":
        """An Arrow table; raises `ImportError` where pyarrow is not installed."""
        try:
            import pyarrow as pa  # noqa: PLC0415  # optional
        except ImportError:
            raise _missing("pyarrow", "arrow") from None
        return pa.table(
            {
                name: pa.array(column, pa.timestamp("us", "UTC") if name in _TIMES else None)
                for name, column in self.columns().items()
            }
        )


_TIMES = frozenset({"ts", "start", "end"})


def _missing(library: str, extra: str | None = None) -> ImportError:
    return ImportError(
        f"{library} is not installed: pip install 'barograph[{extra or library}]' brings it"
    )
