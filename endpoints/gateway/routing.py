"""Which deployment and instance a request goes to.

Live objects that follow the route table in place, so that requests under way, queues and warm connections outlast a
change of routes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from endpoints.gateway import errors
from endpoints.gateway.admission import Queue, RateLimit
from endpoints.gateway.auth import Authenticator
from endpoints.gateway.bandwidth import Bandwidth
from endpoints.gateway.board import Tally
from endpoints.gateway.cors import CorsRules
from endpoints.gateway.holding import Room
from endpoints.gateway.instances import Instance
from endpoints.gateway.pairing import Sampling, followed
from endpoints.spec.routes import DeploymentRoute, EndpointRoute, InstanceRoute, Mirror, RouteTable, StickyKey

if TYPE_CHECKING:
    from endpoints.gateway.plane import DataPlane


class Deployment:
    """One deployment. `tally`: requests let in and not yet answered, in all processes; `limit`: their bound."""

    def __init__(self, plane: DataPlane, endpoint: str, name: str) -> None:
        self.endpoint = endpoint
        self.name = name
        self.tally = Tally(plane.board, f"deployment:{endpoint}/{name}")
        self.queue = Queue()
        self.is_retired = False
        self.room: Room | None = None  # where requests are held while it wakes; None: it never sleeps
        self.instances: list[Instance] = []
        self.only: Instance | None = None  # the one instance, when there is just one
        self.is_open = True  # nobody waits in the queue
        self.answer_fields = b"\r\nazureml-model-deployment: %b\r\nx-request-id: " % name.encode()
        self.route = DeploymentRoute(name=name)
        self.limit = 0
        self.per_instance = 1
        self.timeout = 5.0
        self.scoring_path = b"/score"
        self._plane = plane
        self._turn = 0

    def update(self, route: DeploymentRoute) -> None:
        """Follow the route table. Instances that stay keep their connections."""
        known = {(instance.id, instance.host, instance.port): instance for instance in self.instances}
        self.instances = [self._instance(known, wanted) for wanted in route.instances]
        for gone in known.values():
            gone.retire()
        self.only = self.instances[0] if len(self.instances) == 1 else None
        self.route = route
        self.per_instance = max(1, route.max_concurrent_requests_per_instance)
        self.limit = 2 * self.per_instance * len(self.instances)
        self.timeout = route.request_timeout_ms / 1000
        self.scoring_path = route.scoring_path.encode()
        self._keep_room(route)
        self.wake()

    def _keep_room(self, route: DeploymentRoute) -> None:
        room = self.room
        if route.hold is None:
            self.room = None
            if room is not None:
                room.close()
        elif room is None:
            self.room = Room(self._plane.holding, self)
        elif route.trouble and not route.instances:
            room.give_up_all(errors.not_woken(self.name, route.trouble))

    def _instance(self, known: dict[tuple[str, str, int], Instance], route: InstanceRoute) -> Instance:
        found = known.pop((route.id, route.host, route.port), None)
        return found or Instance(self._plane, route, endpoint=self.endpoint, deployment=self.name)

    def pick(self, *, but: Instance | None = None) -> Instance | None:
        """The least busy instance with room for one more; None when all are full.

        One that was set aside is taken only when there is no other. `but` is avoided in the same way.
        """
        instances = self.instances
        only = self.only
        if only is not None:
            return only if only.tally.total() < self.per_instance else None
        best: Instance | None = None
        best_load = self.per_instance
        self._turn += 1
        turn = self._turn
        count = len(instances)
        for offset in range(count):
            instance = instances[(turn + offset) % count]
            if instance.is_set_aside or instance is but:
                continue
            load = instance.tally.total()
            if load < best_load:
                best, best_load = instance, load
        return best or self._last_resort(but)

    def _last_resort(self, but: Instance | None) -> Instance | None:
        if any(not instance.is_set_aside and instance is not but for instance in self.instances):
            return None  # a sound one exists, it is only busy
        room = [instance for instance in self.instances if instance.tally.total() < self.per_instance]
        return min(room, key=lambda instance: (instance is but, instance.tally.total()), default=None)

    def wake(self) -> None:
        """Let held and queued requests try again while there is room."""
        if self.room is not None and not self.room.drain():
            return
        while (request := self.queue.first()) is not None:
            waiting = len(self.queue)
            request.proceed()
            if len(self.queue) == waiting:
                return
        self.is_open = True

    def show(self) -> None:
        """This process is not alone any more: let the others see its counts."""
        self.tally.show()
        for instance in self.instances:
            instance.tally.show()

    def leave(self) -> None:
        """A request that was let in has ended."""
        self.tally.leave()
        if self.is_retired and not self.tally.own:
            self.tally.release()

    def retire(self) -> None:
        """It left the routes; what waits in its queue is refused by `proceed`."""
        self.is_retired = True
        self.update(DeploymentRoute(name=self.name))
        if not self.tally.own:
            self.tally.release()


class Endpoint:
    """One endpoint that has been asked for at least once."""

    def __init__(self, plane: DataPlane, name: str) -> None:
        self.name = name
        self.deployments: dict[str, Deployment] = {}
        self.choices: tuple[Deployment, ...] = ()
        self.rate: RateLimit | None = None
        self.bandwidth: Bandwidth | None = None
        self.mirror: Mirror | None = None
        self.sampling: Sampling | None = None  # of mirrored requests whose answers are compared
        self.sticky: StickyKey | None = None
        self.cors: CorsRules | None = None
        self.max_payload_bytes = 0
        self.authenticator: Authenticator
        self.route: EndpointRoute | None = None
        self._plane = plane

    def update(self, route: EndpointRoute) -> None:
        """Follow the route table; cheap when nothing changed."""
        if route == self.route:
            return
        for name in self.deployments.keys() - route.deployments.keys():
            self.deployments.pop(name).retire()
        for name, wanted in route.deployments.items():
            deployment = self.deployments.get(name)
            if deployment is None:
                deployment = self.deployments[name] = Deployment(self._plane, self.name, name)
            if deployment.route != wanted or not deployment.instances:
                deployment.update(wanted)
        # One place per unit of weight, in the order of names: a stable order keeps sticky callers where they are.
        self.choices = tuple(
            self.deployments[name]
            for name, weight in sorted(route.traffic.items())
            if name in self.deployments
            for _ in range(weight)
        )
        self.mirror = route.mirror if route.mirror and route.mirror.deployment in self.deployments else None
        self.sampling = followed(self.sampling, self._plane.board, self.name, self.mirror)
        self.sticky = route.sticky if len(set(self.choices)) > 1 else None
        self.cors = CorsRules(route.cors_origins) if route.cors_origins else None
        self.max_payload_bytes = route.max_payload_bytes
        self._update_rate(route.requests_per_second)
        self._update_bandwidth(route.bytes_per_second)
        if self.route is None or _credentials(self.route) != _credentials(route):
            self.authenticator = self._plane.authenticator(route)
        self.route = route

    def _update_rate(self, per_second: int) -> None:
        if self.rate is not None and self.rate.per_second != per_second:
            self.rate.release()
            self.rate = None
        if per_second and self.rate is None:
            self.rate = RateLimit(self._plane.board, self.name, per_second)

    def _update_bandwidth(self, per_second: int) -> None:
        if self.bandwidth is not None and self.bandwidth.per_second != per_second:
            self.bandwidth.release()
            self.bandwidth = None
        if per_second and self.bandwidth is None:
            self.bandwidth = Bandwidth(self._plane.board, self.name, per_second)

    def choose(self) -> Deployment | None:
        """By weight; None when no deployment has any."""
        choices = self.choices
        return choices[int(self._plane.random() * len(choices))] if choices else None

    def choose_for(self, value: bytes) -> Deployment | None:
        """By weight, always the same for the same value as long as the weights stay."""
        choices = self.choices
        if not choices:
            return None
        digest = hashlib.blake2b(value, digest_size=8, key=self.name.encode()[:64]).digest()
        return choices[int.from_bytes(digest, "big") % len(choices)]

    def retire(self) -> None:
        """It left the routes."""
        for deployment in self.deployments.values():
            deployment.retire()
        self._update_rate(0)
        self._update_bandwidth(0)
        self.sampling = followed(self.sampling, self._plane.board, self.name, None)


def _credentials(route: EndpointRoute) -> tuple[object, ...]:
    return route.auth_mode, route.key_digests, route.token


class RouteBook:
    """The route table in force. Endpoints become live objects when they are first asked for."""

    def __init__(self, plane: DataPlane, *, domain: str = "") -> None:
        self.table = RouteTable(version=0, endpoints={})
        self._plane = plane
        self._domain = domain
        self._live: dict[str, Endpoint] = {}
        self._names_by_label: dict[bytes, str] = {}
        self._suffixes: tuple[bytes, ...] = (b".localhost",)

    @property
    def live(self) -> tuple[Endpoint, ...]:
        """The endpoints that have been asked for."""
        return tuple(self._live.values())

    def apply(self, table: RouteTable) -> None:
        """Replace the whole table between two requests."""
        self._names_by_label = {name.lower().encode(): name for name in table.endpoints}
        domains = {self._domain, table.domain.strip(".").lower(), "localhost"} - {""}
        self._suffixes = tuple(b"." + domain.encode() for domain in sorted(domains))
        self.table = table
        self._plane.doors.limits = table.connections
        for name, endpoint in tuple(self._live.items()):
            route = table.endpoints.get(name)
            if route is None:
                del self._live[name]
                endpoint.retire()
            else:
                endpoint.update(route)

    def find(self, name: str) -> Endpoint | None:
        """The endpoint of that exact name."""
        endpoint = self._live.get(name)
        if endpoint is None and (route := self.table.endpoints.get(name)) is not None:
            endpoint = Endpoint(self._plane, name)
            endpoint.update(route)
            self._live[name] = endpoint
        return endpoint

    def name_of_host(self, host: bytes) -> str | None:
        """The endpoint that `<endpoint>.<domain>[:port]` names; its unknown label as it is, None for other hosts."""
        host = host.lower().partition(b":")[0].rstrip(b".")
        for suffix in self._suffixes:
            if host.endswith(suffix) and (label := host[: -len(suffix)]) and b"." not in label:
                return self._names_by_label.get(label, label.decode("latin-1"))
        return None
