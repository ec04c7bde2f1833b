"""Who answers which call. Pure: it is told what happens and when, and knows neither sockets nor HTTP.

A worker has a seat for each call that may go on at once in it. While its calls are short, all go to its first seat,
several at a time: threads that take turns at the interpreter would only be slower, and a worker that finds its next
call waiting need not go to sleep. When calls are long, every seat gets one. What is on its way to a seat cannot be
taken back, so never more is sent ahead than AHEAD_S of work: that bounds what a call loses on average by standing
behind one that turns out long.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, List, NamedTuple, Optional

from .. import busy_poll
from ..wire import AWAITING, BATCHING, PLAIN, Offer
from .ticket import Ticket

LONG_CALL_S = 0.001  # mean above which every seat is used; below half of it only the first
OVERTAKE_S = 0.008  # a short call that lasts longer than this lets others past, onto other seats
AHEAD_S = 0.002
MAX_AHEAD = 64
SILENT_S = 5.0  # a worker speaks every second; one that has not for so long cannot run Python
_WEIGHT = 0.1  # of the latest call in the mean


class Seat:
    """One thread, or one event loop, of a worker. `link` is whatever leads there."""

    def __init__(self, link: Any, crew: Crew, number: int) -> None:
        self.link = link
        self.crew = crew
        self.number = number
        self.tickets: Dict[int, Ticket] = {}  # in the order in which they were sent
        self.began_at = 0.0  # when the first of them had its turn
        self._present = 0

    def take(self, tickets: List[Ticket], *, waiting: int, now: float) -> None:
        """`waiting`: how many more there are for it."""
        if not self.tickets:
            self.began_at = now
        for ticket in tickets:
            ticket.seat = self
            ticket.sent_at = now
            self.tickets[ticket.number] = ticket
        self._present = max(self._present - len(tickets), len(self.tickets) + waiting)

    @property
    def answers_together(self) -> int:
        """Half the calls that are here at a time: while the clients have one half, the worker has the other to do."""
        return max(1, self._present // 2)


class Crew:
    """The seats of one worker."""

    def __init__(self, offer: Offer, batch_wait_s: float) -> None:
        self.offer = offer
        self.heard_at = 0.0
        self.is_reported = False  # that it is silent
        self.seats: List[Seat] = []
        self.batch_wait_s = batch_wait_s
        self._mean_s = LONG_CALL_S / 2  # until more is known: one call at a time
        self._are_calls_long = False
        self._ahead = 1

    @property
    def load(self) -> int:
        return sum([len(seat.tickets) for seat in self.seats])

    @property
    def is_answer_due(self) -> bool:
        """Whether there are calls to answer, short ones as a rule, of more callers than one or two."""
        return self._mean_s < busy_poll.SHORT_CALL_S and any(
            seat.tickets and seat.answers_together > 1 for seat in self.seats
        )

    def note(self, elapsed_s: float) -> None:
        mean = self._mean_s = self._mean_s * (1 - _WEIGHT) + elapsed_s * _WEIGHT
        if mean > LONG_CALL_S:
            self._are_calls_long = True
        elif mean < LONG_CALL_S / 2:
            self._are_calls_long = False
        self._ahead = min(MAX_AHEAD, int(AHEAD_S / mean)) or 1 if mean > 0 else MAX_AHEAD

    def free_seat(self, now: float) -> Optional[Seat]:
        first = self.seats[0]
        if not first.tickets:
            return first
        kind = self.offer.kind
        if kind == AWAITING:
            return first if len(first.tickets) < self.offer.at_once else None
        if kind == BATCHING or self._are_calls_long or self.is_overtaken(now):
            return next((seat for seat in self.seats if not seat.tickets), None)
        return first if len(first.tickets) < self._ahead else None

    def room(self, seat: Seat) -> int:
        """How many calls a seat takes that is free."""
        if self.offer.kind == AWAITING:
            return self.offer.at_once - len(seat.tickets)
        if self.offer.kind == BATCHING:
            return self.offer.at_once
        if self._are_calls_long or seat is not self.seats[0]:
            return 1
        return max(1, self._ahead - len(seat.tickets))

    def is_overtaken(self, now: float) -> bool:
        first = self.seats[0]
        return bool(first.tickets) and now - first.began_at > OVERTAKE_S

    def next_change_s(self, now: float) -> Optional[float]:
        """How long until a seat comes free by itself, if one can."""
        is_one_hidden = len(self.seats) > 1 and self.offer.kind == PLAIN and not self._are_calls_long
        if not is_one_hidden or self.is_overtaken(now):
            return None
        return self.seats[0].began_at + OVERTAKE_S - now


class Assignment(NamedTuple):
    """Calls that go to a seat together."""

    seat: Seat
    tickets: List[Ticket]


class Roster:
    """All workers and all calls. Times are seconds of one clock, the tickets' own."""

    def __init__(self, *, batch_wait_s: float = 0.0) -> None:
        self._batch_wait_s = batch_wait_s
        self._crews: Dict[int, Crew] = {}  # by process id
        self.waiting: Deque[Ticket] = deque()
        self._last_number = 0

    def __bool__(self) -> bool:
        """Whether anybody is there."""
        return bool(self._crews)

    @property
    def load(self) -> int:
        return sum([crew.load for crew in self._crews.values()])

    @property
    def is_idle(self) -> bool:
        """Whether a worker has nothing to do."""
        return any(not crew.seats[0].tickets for crew in self._crews.values())

    @property
    def is_answer_due(self) -> bool:
        """Whether one will come sooner than it is worth sleeping."""
        return any(crew.is_answer_due for crew in self._crews.values())

    def join(self, link: Any, pid: int, number: int, offer: Offer, now: float) -> Seat:
        crew = self._crews.get(pid)
        if crew is None:
            crew = self._crews[pid] = Crew(offer, self._batch_wait_s)
        crew.heard_at = now
        seat = Seat(link, crew, number)
        crew.seats.append(seat)
        crew.seats.sort(key=lambda each: each.number)
        return seat

    def leave(self, seat: Seat) -> List[Ticket]:
        """The calls that were on the seat. Any of them may have begun, so none is made again."""
        seat.crew.seats.remove(seat)
        if not seat.crew.seats:
            self._crews = {pid: crew for pid, crew in self._crews.items() if crew is not seat.crew}
        tickets = list(seat.tickets.values())
        seat.tickets = {}
        return tickets

    @staticmethod
    def heard(seat: Seat, now: float) -> None:
        """Its worker said something."""
        seat.crew.heard_at = now
        seat.crew.is_reported = False

    def silences(self, now: float) -> Dict[int, float]:
        """Seconds for which a worker has said nothing, by process id, of those who should have."""
        silent = {pid: now - crew.heard_at for pid, crew in self._crews.items()}
        return {pid: seconds for pid, seconds in silent.items() if seconds > SILENT_S}

    def unreported_silences(self, now: float) -> Dict[int, float]:
        """Those that no earlier call has given."""
        found = {pid: seconds for pid, seconds in self.silences(now).items() if not self._crews[pid].is_reported}
        for pid in found:
            self._crews[pid].is_reported = True
        return found

    def submit(self, ticket: Ticket) -> None:
        self._last_number += 1
        ticket.number = self._last_number
        self.waiting.append(ticket)

    def next_assignment(self, now: float) -> Optional[Assignment]:
        """Who goes where, if anybody can."""
        if not self.waiting:
            return None
        seat = self._free_seat(now)
        if seat is None:
            return None
        crew = seat.crew
        count = min(len(self.waiting), crew.room(seat))
        if crew.offer.kind == BATCHING:
            is_due = now - self.waiting[0].received_at >= crew.batch_wait_s
            if count < crew.offer.at_once and not is_due:
                return None
        elif len(self._crews) > 1:
            count = 1  # the next one may be another worker's turn
        tickets = [self.waiting.popleft() for _ in range(count)]
        seat.take(tickets, waiting=len(self.waiting) // len(self._crews), now=now)
        return Assignment(seat, tickets)

    def done(self, seat: Seat, number: int, elapsed_s: Optional[float], now: float) -> Optional[Ticket]:
        """The call is answered. elapsed_s: in run(); None where it says nothing about the next."""
        ticket = seat.tickets.pop(number, None)
        seat.began_at = now
        if elapsed_s is not None:
            seat.crew.note(elapsed_s)
        return ticket

    def next_change_s(self, now: float) -> Optional[float]:
        """How long `next_assignment` can be left alone when nothing else happens; None for ever."""
        if not self.waiting:
            return None
        seat = self._free_seat(now)
        if seat is not None:  # one that waits for its batch to fill
            return max(0.0, self.waiting[0].received_at + self._batch_wait_s - now)
        times = [crew.next_change_s(now) for crew in self._crews.values()]
        return min([time for time in times if time is not None], default=None)

    def _free_seat(self, now: float) -> Optional[Seat]:
        """In the worker with the least to do."""
        if len(self._crews) == 1:
            (crew,) = self._crews.values()
            return crew.free_seat(now)
        found = None
        for crew in sorted(self._crews.values(), key=lambda each: (each.is_overtaken(now), each.load)):
            found = found or crew.free_seat(now)
        return found
