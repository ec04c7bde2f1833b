"""The web process: Django under an ASGI server."""

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
application = get_asgi_application()

# What stays for the life of the process is made now, and left out of later collections: to walk all of it would take
# tens of milliseconds in the midst of somebody's page.
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
