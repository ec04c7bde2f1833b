"""Who answers which call: decided from what happens and when, without sockets."""

from __future__ import annotations

import pytest

from endpoints.scoring import wire
from endpoints.scoring.front.roster import MAX_AHEAD, OVERTAKE_S, SILENT_S, Roster, Seat
from endpoints.scoring.front.ticket import Ticket
from endpoints.scoring.http.request import HttpRequest
from endpoints.scoring.ids import Ids
from endpoints.scoring.wire import Offer

SHORT_S = 0.00002
LONG_S = 0.5


def offer(kind: str = wire.PLAIN, at_once: int = 1) -> Offer:
    return Offer(kind, at_once, is_raw=False, log_level=20, has_own_logging=False, documents={})


def ticket(at: float = 0.0) -> Ticket:
    return Ticket(HttpRequest(b"POST /score HTTP/1.1", ""), Ids("r", []), at)


def submit(roster: Roster, count: int, at: float = 0.0) -> None:
    for _ in range(count):
        roster.submit(ticket(at))


def assign(roster: Roster, now: float = 0.0) -> list[tuple[object, int]]:
    """(where, how many together) of everything that can go out now."""
    found: list[tuple[object, int]] = []
    while (assignment := roster.next_assignment(now)) is not None:
        found.append((assignment.seat.link, len(assignment.tickets)))
    return found


def answer_all(roster: Roster, seat: Seat, elapsed_s: float, now: float = 0.0) -> None:
    for number in list(seat.tickets):
        roster.done(seat, number, elapsed_s, now)


def taught(elapsed_s: float, seats: int = 1) -> tuple[Roster, list[Seat]]:
    """One worker whose calls have lasted that long for a while."""
    roster = Roster()
    made = [roster.join(f"seat {number}", 1, number, offer(), 0.0) for number in range(seats)]
    for _ in range(100):
        roster.submit(ticket())
        assign(roster)
        answer_all(roster, made[0], elapsed_s)
    return roster, made


@pytest.mark.parametrize(("present", "together"), [(1, 1), (2, 1), (3, 1), (8, 4), (MAX_AHEAD, MAX_AHEAD // 2)])
def test_half_of_the_calls_that_are_here_are_answered_together(present: int, together: int) -> None:
    roster, (seat,) = taught(SHORT_S)
    submit(roster, present)
    assign(roster)
    assert seat.answers_together == together


def test_calls_that_wait_at_the_front_count_too() -> None:
    roster, (seat,) = taught(SHORT_S)
    submit(roster, MAX_AHEAD * 4)
    assign(roster)
    assert seat.answers_together == MAX_AHEAD * 2


def test_fewer_are_answered_together_when_fewer_come() -> None:
    roster, (seat,) = taught(SHORT_S)
    submit(roster, 16)
    assign(roster)
    answer_all(roster, seat, SHORT_S)
    for _ in range(20):
        submit(roster, 1)
        assign(roster)
        answer_all(roster, seat, SHORT_S)
    assert seat.answers_together == 1


def test_nothing_is_assigned_while_nobody_is_there() -> None:
    roster = Roster()
    submit(roster, 2)
    assert (assign(roster), roster.next_change_s(0.0), bool(roster)) == ([], None, False)


def test_an_unknown_worker_gets_one_call_at_a_time() -> None:
    roster = Roster()
    roster.join("a", 1, 0, offer(), 0.0)
    submit(roster, 3)
    assert assign(roster) == [("a", 1)]


def test_short_calls_go_ahead_to_the_first_seat_only() -> None:
    roster, _ = taught(SHORT_S, seats=3)
    submit(roster, MAX_AHEAD * 2)
    assert assign(roster) == [("seat 0", MAX_AHEAD)]


def test_long_calls_go_to_every_seat_one_each() -> None:
    roster, _ = taught(LONG_S, seats=3)
    submit(roster, 5)
    assert assign(roster) == [("seat 0", 1), ("seat 1", 1), ("seat 2", 1)]
    assert roster.next_change_s(0.0) is None


def test_a_short_call_that_turns_out_long_is_overtaken() -> None:
    roster, _ = taught(SHORT_S, seats=2)
    submit(roster, MAX_AHEAD + 2)
    assign(roster)
    assert roster.next_change_s(0.001) == pytest.approx(OVERTAKE_S - 0.001)
    assert assign(roster, OVERTAKE_S / 2) == []
    assert assign(roster, OVERTAKE_S * 1.1) == [("seat 1", 1)]
    assert roster.next_change_s(OVERTAKE_S * 1.1) is None


def test_the_worker_with_the_least_to_do_is_next() -> None:
    roster = Roster()
    seats = [roster.join(pid, pid, 0, offer(), 0.0) for pid in (1, 2)]
    submit(roster, 3)
    assert assign(roster) == [(1, 1), (2, 1)]
    answer_all(roster, seats[1], LONG_S)
    assert assign(roster) == [(2, 1)]


def test_an_awaiting_worker_gets_as_many_as_may_go_on_at_once() -> None:
    roster = Roster()
    seat = roster.join("loop", 1, 0, offer(wire.AWAITING, at_once=3), 0.0)
    submit(roster, 5)
    assert assign(roster) == [("loop", 3)]
    roster.done(seat, 2, LONG_S, 0.0)
    assert assign(roster) == [("loop", 1)]


def test_a_batch_waits_until_it_is_full_or_its_first_call_has_waited_long_enough() -> None:
    roster = Roster(batch_wait_s=0.005)
    seat = roster.join("b", 1, 0, offer(wire.BATCHING, at_once=4), 0.0)
    submit(roster, 3, at=1.0)
    assert assign(roster, 1.001) == []
    assert roster.next_change_s(1.001) == pytest.approx(0.004)
    assert assign(roster, 1.006) == [("b", 3)]
    submit(roster, 9, at=1.006)
    assert (assign(roster, 2.0), roster.next_change_s(2.0)) == ([], None)
    answer_all(roster, seat, LONG_S)
    assert assign(roster, 2.0) == [("b", 4)]


def test_a_worker_that_says_nothing_is_told_of_once_until_it_speaks() -> None:
    roster = Roster()
    quiet, _ = [roster.join(pid, pid, 0, offer(), 0.0) for pid in (1, 2)]
    assert roster.silences(SILENT_S) == {}
    assert roster.silences(SILENT_S + 1) == {1: SILENT_S + 1, 2: SILENT_S + 1}
    assert set(roster.unreported_silences(SILENT_S + 1)) == {1, 2}
    roster.heard(quiet, SILENT_S + 1)
    assert (set(roster.silences(SILENT_S + 2)), roster.unreported_silences(SILENT_S + 2)) == ({2}, {})
    assert set(roster.unreported_silences(2 * SILENT_S + 2)) == {1}


def test_what_waited_goes_to_another_worker_when_one_leaves_and_what_it_had_does_not() -> None:
    roster = Roster()
    first = roster.join("a", 1, 0, offer(), 0.0)
    submit(roster, 5)
    sent = len(assign(roster))
    roster.join("b", 2, 0, offer(), 0.0)
    assert [left.number for left in roster.leave(first)] == list(range(1, sent + 1))
    assert assign(roster)[0] == ("b", 1)
    assert bool(roster)
