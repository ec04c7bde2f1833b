"""Between JSON and what an MLflow model takes and gives: DataFrames and arrays, checked against its signature.

Whatever is wrong with the input is told by name, place and wanted type; MLflow itself would only fail.
"""

from __future__ import annotations

import base64
import datetime
import io
import math
from typing import Any, Dict, List, NamedTuple, Optional

_INT_RANGE = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_WORDS = {
    "integer": "whole numbers",
    "long": "whole numbers",
    "float": "numbers",
    "double": "numbers",
    "boolean": "true or false",
    "string": "text",
    "binary": "base64 text",
    "datetime": "dates in ISO 8601",
}
_DTYPES = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64", "boolean": "bool"}
_SHOWN_COLUMNS = 20


class BadInput(Exception):
    """The input cannot be what the model takes; the message goes to the caller."""


class Csv(NamedTuple):
    """A body that came as text/csv."""

    text: str


class Reader:
    """Reads requests for one signature. schema: mlflow's, None where the model has none."""

    def __init__(self, schema: Any) -> None:
        inputs = list(schema.inputs) if schema is not None else []
        is_tensor = bool(inputs) and schema.is_tensor_spec()
        is_named = bool(inputs) and schema.has_input_names()
        self.columns: List[Any] = inputs if is_named and not is_tensor else []
        self.tensors: List[Any] = inputs if is_tensor else []
        self.is_unnamed = bool(inputs) and not is_named and not is_tensor  # values of a type, such as texts

    def azure(self, value: Any, field: str) -> Any:
        """`input_data`."""
        if self.columns:
            if not _is_split(value):
                raise BadInput(
                    '%s: the model takes a table: {"columns": [...], "data": [[...]]}. %s' % (field, self._wanted())
                )
            return self._table(_split(value, field), field)
        if self.tensors:
            return self._arrays(value, field)
        if _is_split(value):
            return _split(value, field)
        return value if self.is_unnamed else _free(value, field)

    def mlflow(self, value: Any, field: str) -> Any:
        """What stands under one of MLflow's own keys."""
        if field == "dataframe_split":
            return self._table(_split(value, field), field)
        if field == "dataframe_records":
            return self._table(_records(value, field), field)
        if self.columns:
            return self._table(self._loose_table(value, field), field)
        if field == "instances":
            value = _by_name(value, field)
        if self.tensors:
            return self._arrays(value, field)
        return value if self.is_unnamed else _free(value, field)

    def csv(self, given: Csv) -> Any:
        import pandas

        texts = {column.name: str for column in self.columns if _kind(column) in ("string", "binary", "datetime")}
        try:
            frame = pandas.read_csv(io.StringIO(given.text), dtype=texts)
        except ValueError as error:  # pandas' own parser errors are such
            raise BadInput("The text is no table in CSV: %s" % str(error).splitlines()[0]) from None
        return self._table(frame, "The table")

    def _wanted(self) -> str:
        names = [str(column.name) for column in self.columns[:_SHOWN_COLUMNS]]
        more = ", …" if len(self.columns) > _SHOWN_COLUMNS else ""
        return "Its columns are %s%s." % (", ".join(names), more)

    # Tables

    def _loose_table(self, value: Any, field: str) -> Any:
        """`inputs` and `instances` of a model of columns: rows by name, or columns by name."""
        import pandas

        if isinstance(value, dict):
            cells = {name: found if isinstance(found, list) else [found] for name, found in value.items()}
            try:
                return pandas.DataFrame(cells)
            except ValueError:
                raise BadInput("%s: its columns are of different lengths." % field) from None
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            return _records(value, field)
        raise BadInput(
            '%s: the model takes named columns: rows such as {"%s": …}, or dataframe_split. %s'
            % (field, self.columns[0].name, self._wanted())
        )

    def _table(self, frame: Any, field: str) -> Any:
        if self.tensors:
            return self._arrays(frame.to_numpy() if len(self.tensors) == 1 else dict(frame.items()), field)
        missing = [
            str(column.name) for column in self.columns if column.name not in frame.columns and is_required(column)
        ]
        if missing:
            shown = ", ".join(missing[:_SHOWN_COLUMNS])
            plural = "column is" if len(missing) == 1 else "columns are"
            raise BadInput("%s: the %s missing: %s. %s" % (field, plural, shown, self._wanted()))
        for column in self.columns:
            kind = _kind(column)
            if kind in _WORDS and column.name in frame.columns:
                frame[column.name] = _cast(frame[column.name], column, kind, field)
        return frame

    # Tensors

    def _arrays(self, value: Any, field: str) -> Any:
        if len(self.tensors) == 1 and not self.tensors[0].name:
            return _array(value, self.tensors[0], field)
        names = ", ".join(str(spec.name) for spec in self.tensors)
        if not isinstance(value, dict):
            if len(self.tensors) == 1:
                return {self.tensors[0].name: _array(value, self.tensors[0], field)}
            raise BadInput("%s: the model takes tensors by name: {%s}." % (field, names))
        missing = [spec.name for spec in self.tensors if spec.name not in value and is_required(spec)]
        if missing:
            raise BadInput("%s: the tensor %s is missing. The model takes %s." % (field, ", ".join(missing), names))
        return {
            spec.name: _array(value[spec.name], spec, "%s.%s" % (field, spec.name))
            for spec in self.tensors
            if spec.name in value
        }


def is_required(spec: Any) -> bool:
    """MLflow has called it first `optional`, then `required`."""
    return bool(getattr(spec, "required", not getattr(spec, "optional", False)))


def _kind(column: Any) -> str:
    """`double` and the like; "" for a type made of others, which mlflow checks by itself."""
    return str(getattr(column.type, "name", ""))


# Tables ------------------------------------------------------------------------------------------------------


def _is_split(value: Any) -> bool:
    return isinstance(value, dict) and "columns" in value and "data" in value


def _split(value: Any, field: str) -> Any:
    import pandas

    if not _is_split(value):
        raise BadInput('%s: must be a table: {"columns": [...], "data": [[...]]}.' % field)
    columns, rows, index = value["columns"], value["data"], value.get("index")
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise BadInput("%s: columns and data must be lists." % field)
    names = [str(name) for name in columns]
    if len(set(names)) < len(names):
        raise BadInput("%s.columns: a name stands twice." % field)
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            has = "%d values" % len(row) if isinstance(row, list) else "no list"
            raise BadInput("%s.data[%d]: has %s for %d columns." % (field, number, has, len(columns)))
    if index is not None and (not isinstance(index, list) or len(index) != len(rows)):
        raise BadInput("%s.index: must be a list as long as data." % field)
    # By column, so that a table without rows keeps its columns and each column finds its own type.
    return pandas.DataFrame({name: [row[i] for row in rows] for i, name in enumerate(columns)}, index=index)


def _records(value: Any, field: str) -> Any:
    import pandas

    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise BadInput('%s: must be a list of rows such as {"name": value}.' % field)
    return pandas.DataFrame(value)


def _cast(series: Any, column: Any, kind: str, field: str) -> Any:
    """The column in the signature's type; what cannot become that is named with its row."""
    import pandas

    if kind == "datetime":
        try:
            return pandas.to_datetime(series)
        except (ValueError, TypeError):
            raise _wrong(series, column, kind, field, _first(series, lambda cell: not _is_moment(cell))) from None
    is_number = series.dtype.kind in ("iu" if kind in _INT_RANGE else "fiu")
    if is_number and kind in (*_INT_RANGE, "float", "double"):
        return _narrowed(series, column, kind, field)
    row = _first(series, lambda cell: not _fits(cell, kind))
    if row is not None:
        raise _wrong(series, column, kind, field, row)
    if kind == "binary":
        return series.map(lambda cell: base64.b64decode(cell) if isinstance(cell, str) else cell)
    return series.astype(object) if kind == "string" else _narrowed(series, column, kind, field)


def _narrowed(series: Any, column: Any, kind: str, field: str) -> Any:
    if kind in _INT_RANGE and len(series):
        low, high = _INT_RANGE[kind]
        if series.min() < low or series.max() > high:
            row = _first(series, lambda cell: not low <= cell <= high)
            raise _wrong(series, column, kind, field, row)
    return series.astype(_DTYPES[kind])


def _first(series: Any, is_bad: Any) -> Optional[int]:
    return next((row for row, cell in enumerate(series) if is_bad(cell)), None)


def _fits(cell: Any, kind: str) -> bool:
    if kind in ("float", "double"):
        return cell is None or (isinstance(cell, (int, float)) and not isinstance(cell, bool)) or _is_missing(cell)
    if kind in _INT_RANGE:
        return (
            isinstance(cell, (int, float)) and not isinstance(cell, bool) and math.isfinite(cell) and cell == int(cell)
        )
    if kind == "boolean":
        return isinstance(cell, bool) or type(cell).__name__ in ("bool_", "bool")
    if kind == "binary" and isinstance(cell, str):
        return _is_base64(cell)
    return cell is None or isinstance(cell, str) or _is_missing(cell) or (kind == "binary" and isinstance(cell, bytes))


def _is_missing(cell: Any) -> bool:
    return cell is None or cell != cell or type(cell).__name__ in ("NAType", "NaTType")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _is_moment(cell: Any) -> bool:
    import pandas

    try:
        pandas.to_datetime(cell)
    except (ValueError, TypeError):
        return False
    return True


def _wrong(series: Any, column: Any, kind: str, field: str, row: Optional[int]) -> BadInput:
    place = "" if row is None else "; row %d has %s" % (row, _shown(series.iloc[row]))
    return BadInput("%s: the column '%s' must hold %s (%s)%s." % (field, column.name, _WORDS[kind], kind, place))


def _shown(cell: Any) -> str:
    if _is_missing(cell):
        return "none"
    text = repr(cell.item() if hasattr(cell, "item") else cell)
    return text if len(text) <= 40 else text[:37] + "…"


# Tensors -----------------------------------------------------------------------------------------------------


def _array(value: Any, spec: Any, field: str) -> Any:
    """As the signature's type and shape (-1 is any length)."""
    import numpy

    found = _free_array(value, field)
    wanted = numpy.dtype(spec.type)
    if wanted.kind in "fiub" and found.dtype.kind not in "fiub":
        raise BadInput("%s: must hold %s, not text or objects." % (field, _dtype_words(wanted)))
    if wanted.kind in "iu" and found.dtype.kind == "f" and not numpy.array_equal(found, numpy.trunc(found)):
        raise BadInput("%s: must hold whole numbers (%s)." % (field, wanted))
    if wanted.kind in "US" or wanted.kind == "O":
        cast = found if found.dtype.kind == wanted.kind else found.astype(object if wanted.kind == "O" else str)
    else:
        cast = found.astype(wanted)
    shape = tuple(spec.shape)
    is_alike = len(shape) == cast.ndim and all(want in (-1, have) for want, have in zip(shape, cast.shape))  # noqa: B905
    if not is_alike:
        raise BadInput("%s: has the shape %s; the model takes %s." % (field, cast.shape, shape))
    return cast


def _dtype_words(dtype: Any) -> str:
    return "true or false" if dtype.kind == "b" else "numbers (%s)" % dtype


def _free_array(value: Any, field: str) -> Any:
    import numpy

    try:
        found = numpy.asarray(value)
    except ValueError:
        raise BadInput("%s: its lists are of different lengths." % field) from None
    if found.dtype.kind == "O" and isinstance(value, list) and any(isinstance(each, list) for each in value):
        raise BadInput("%s: its lists are of different lengths, or hold what no array can." % field)
    return found


def _free(value: Any, field: str) -> Any:
    """Without a signature: a list is an array, an object is arrays by name, a split table is a table."""
    if isinstance(value, list):
        return _free_array(value, field)
    if isinstance(value, dict):
        if _is_split(value):
            return _split(value, field)
        return {name: _free_array(found, "%s.%s" % (field, name)) for name, found in value.items()}
    raise BadInput("%s: must be a list or an object, not %s." % (field, type(value).__name__))


def _by_name(value: Any, field: str) -> Any:
    """`instances`: rows of named values become values by name."""
    if not isinstance(value, list):
        raise BadInput("%s: must be a list." % field)
    if not value or not all(isinstance(row, dict) for row in value):
        return value
    columns: Dict[str, List[Any]] = {name: [] for name in value[0]}
    for number, row in enumerate(value):
        if set(row) != set(columns):
            raise BadInput("%s[%d]: has other names than the first." % (field, number))
        for name, cell in row.items():
            columns[name].append(cell)
    return columns


# Answers -----------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """What predict() gave as what JSON holds: arrays as lists, tables as lists of records."""
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if kind is dict:
        return {str(name): plain(each) for name, each in value.items()}
    if kind in (list, tuple):
        return [plain(each) for each in value]
    if hasattr(value, "dtype") and hasattr(value, "tolist") and not hasattr(value, "to_frame"):
        listed = value.tolist()
        return listed if value.dtype.kind in "fiub" else plain(listed)
    if hasattr(value, "to_frame") and not hasattr(value, "columns"):
        value = value.to_frame()
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return [plain(row) for row in value.to_dict(orient="records")]
    if _is_missing(value):
        return None
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return plain(dict(value))
    for name in ("model_dump", "to_dict"):
        if hasattr(value, name):
            return plain(getattr(value, name)())
    return value
