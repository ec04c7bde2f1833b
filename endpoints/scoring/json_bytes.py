"""json.dumps in bytes, without the encoder that it makes anew for every value: that costs more than a short answer."""

from __future__ import annotations

import json
from json import encoder
from typing import Any, Callable, Optional, Sequence

_Encode = Callable[[Any, int], Sequence[str]]
_SAMPLE = {"a": [1, -0.5, True, None, "é"], "2": float("inf")}


def _lasting_encoder() -> Optional[_Encode]:
    """The one json.dumps makes by default; None where this Python makes it otherwise."""
    try:
        make: Any = encoder.c_make_encoder  # type: ignore[attr-defined,unused-ignore]
        default, quote = json.JSONEncoder().default, encoder.encode_basestring_ascii
        made: _Encode = make(None, default, quote, None, ": ", ", ", False, False, True)
        is_same = "".join(made(_SAMPLE, 0)) == json.dumps(_SAMPLE)
    except Exception:  # noqa: BLE001  not a part of the language
        return None
    return made if is_same else None


_encode = _lasting_encoder()


def to_json(value: Any) -> bytes:
    """Raises what json.dumps raises."""
    if _encode is not None:
        try:
            return "".join(_encode(value, 0)).encode("ascii")
        except Exception:  # noqa: BLE001, S110  json.dumps says it in its own words; only it knows of circles
            pass
    return json.dumps(value).encode("ascii")
