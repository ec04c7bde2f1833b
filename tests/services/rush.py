"""Fifty people deploy at once where ten deployments fit, and five more into the shared pool.

Run as a program it does so in a studio of its own.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter


def rush(count: int = 50, limit_cores: int = 80, pool_cores: int = 40) -> dict[str, int]:
    """How the requests ended; each deployment takes 2 x 4 cores of the limit, or of the pool when that is full."""
    from django.db import connection
    from django.db.models import Sum

    from endpoints import services
    from endpoints.models import PoolLoan
    from endpoints.spec.errors import SlipwayError
    from studio.access.models import User
    from tests.services import world

    actor = User.objects.create_user("rush", is_superuser=True)
    services.set_family_limit(actor, family="DSv2", limit_cores=limit_cores, pool_cores=pool_cores)
    for number in range(5):
        world.endpoint(actor, f"risk-{number}")
    document = world.deployment_document(actor, shared_pool_hours=8)
    ended: Counter[str] = Counter()

    def deploy(number: int) -> None:
        place = {"name": f"blue-{number}", "endpoint_name": f"risk-{number % 5}"}
        try:
            services.create_deployment(actor, document={**document, **place})
            ended["accepted"] += 1
        except SlipwayError as refusal:
            ended[refusal.code] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=deploy, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {**ended, "lent": PoolLoan.objects.aggregate(cores=Sum("cores"))["cores"] or 0}


if __name__ == "__main__":
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    json.dump(rush(), sys.stdout)
