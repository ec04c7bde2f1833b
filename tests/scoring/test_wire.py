"""Frames between the front and the workers, however the bytes come."""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st

from endpoints.scoring import wire
from endpoints.scoring.front.outbox import Outbox
from endpoints.scoring.wire import Frame, FrameReader

values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary())
frames = st.lists(st.lists(st.one_of(values, st.lists(values, max_size=3)), min_size=1, max_size=5), max_size=5)


def read(packets: list[bytes]) -> list[Frame]:
    reader = FrameReader()
    found: list[Frame] = []
    for packet in packets:
        reader.feed(packet)
        while (frame := reader.next()) is not None:
            found.append(frame)
    return found


@given(frames, st.data())
def test_any_split_into_packets_gives_the_same_frames(sent: list[list[object]], data: st.DataObject) -> None:
    stream = b"".join(wire.encode(*frame) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    packets = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(packets) == [tuple(frame) for frame in sent]


def test_bytes_that_follow_a_frame_unframed_are_taken_as_they_are() -> None:
    reader = FrameReader()
    reader.feed(wire.encode(wire.LONG_CALL, 5) + b"bod")
    assert reader.next() == (wire.LONG_CALL, 5)
    assert reader.take(5) == b"bod"
    reader.feed(b"y!" + wire.encode(wire.BYE))
    assert reader.take(2) == b"y!"
    assert reader.next() == (wire.BYE,)
    assert reader.next() is None


def test_an_outbox_keeps_the_order_and_what_the_other_side_has_no_room_for() -> None:
    mine, theirs = socket.socketpair()
    mine.setblocking(False)
    outbox = Outbox(mine)
    sent = [bytes([number % 256]) * (1000 + number * 37) for number in range(1000)]
    for number, piece in enumerate(sent):
        (outbox.send if number % 2 else outbox.put)(piece)
    assert outbox.pieces  # far more than fits
    received = b""
    while len(received) < sum(map(len, sent)):
        outbox.flush()
        received += theirs.recv(1 << 20)
    assert received == b"".join(sent)
    assert outbox.flush() and not outbox.pieces
    mine.close()
    theirs.close()
