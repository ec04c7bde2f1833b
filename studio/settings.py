"""The one settings file. Everything that differs between installations comes from the environment.

`SLIPWAY_HOME` holds all state of an embedded studio: database, blobs, environments, instances, logs, keys.
Any secret may also be given as a file: `SLIPWAY_X_FILE` is read where `SLIPWAY_X` is not set.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF

from endpoints.spec.host import host_name
from endpoints.spec.studio_settings import SETTINGS

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """The value of `name`, or the content of the file `name_FILE` names, or `default`."""
    if name in os.environ:
        return os.environ[name]
    if file := os.environ.get(f"{name}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    return default


def env_bool(name: str, default: bool) -> bool:
    """A yes/no setting; anything but 1, true, yes and on is no."""
    return env(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


def env_list(name: str, default: str = "") -> list[str]:
    """A comma-separated setting without its blanks."""
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


# Where things are ------------------------------------------------------------------------------------------

SLIPWAY_HOME = Path(env("SLIPWAY_HOME", str(Path.cwd() / ".slipway"))).resolve()
SLIPWAY_PORT = int(env("SLIPWAY_PORT", "8000"))
SLIPWAY_BIND = env("SLIPWAY_BIND", "127.0.0.1")
SLIPWAY_URL = env("SLIPWAY_URL", f"http://localhost:{SLIPWAY_PORT}").rstrip("/")
SLIPWAY_GATEWAY_PORT = int(env("SLIPWAY_GATEWAY_PORT", "8080"))
# What clients see: the root of every scoring_uri.
SLIPWAY_GATEWAY_URL = env("SLIPWAY_GATEWAY_URL", f"http://localhost:{SLIPWAY_GATEWAY_PORT}").rstrip("/")
# How the web process itself reaches the gateway (test panel, invoke).
SLIPWAY_GATEWAY_INTERNAL_URL = env("SLIPWAY_GATEWAY_INTERNAL_URL", f"http://127.0.0.1:{SLIPWAY_GATEWAY_PORT}").rstrip(
    "/"
)
SLIPWAY_GATEWAY_DOMAIN = env("SLIPWAY_GATEWAY_DOMAIN", "")
SLIPWAY_WORKSPACE = env("SLIPWAY_WORKSPACE", "local")
# Where instances run unless a deployment says otherwise: as processes or as containers.
SLIPWAY_BACKEND = env("SLIPWAY_BACKEND", "process")
# This machine's or container's name where several workers run the studio's processes; "" where one does.
SLIPWAY_HOST = host_name(os.environ)

# A model or archive beyond these is refused with its size named.
SLIPWAY_MAX_UPLOAD_BYTES = int(env("SLIPWAY_MAX_UPLOAD_BYTES", str(64 * 1024**3)))
SLIPWAY_MAX_UPLOAD_FILES = int(env("SLIPWAY_MAX_UPLOAD_FILES", "20000"))

# First defaults of what admins set in the studio (limits, the shared pool, how long logs are kept).
SLIPWAY_DEFAULTS = {
    name: int(env_bool(one.variable, bool(one.default))) if one.is_flag else int(env(one.variable, str(one.default)))
    for name, one in SETTINGS.items()
}
# Cores a family of instance types may use until someone says otherwise: plenty, for a machine of one's own.
SLIPWAY_FAMILY_CORES = int(env("SLIPWAY_FAMILY_CORES", "240"))
# Tokens of endpoints with `auth_mode: aml_token` (contract B23).
SLIPWAY_TOKEN_LIFETIME_S = int(env("SLIPWAY_TOKEN_LIFETIME_S", str(12 * 3600)))
SLIPWAY_TOKEN_REFRESH_S = int(env("SLIPWAY_TOKEN_REFRESH_S", str(6 * 3600)))


def _secret_key() -> str:
    """The installation's key: from the environment, else made once and kept in SLIPWAY_HOME (0600)."""
    if value := env("SLIPWAY_SECRET_KEY"):
        return value
    path = SLIPWAY_HOME / "secret.key"
    if not path.exists():
        SLIPWAY_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50), encoding="utf-8")
        try:
            os.link(draft, path)  # the first of several processes wins, whole
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8")


SECRET_KEY = _secret_key()
DEBUG = env_bool("SLIPWAY_DEBUG", False)
ALLOWED_HOSTS = env_list("SLIPWAY_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]") + (
    [host] if (host := urlsplit(SLIPWAY_URL).hostname) else []
)
CSRF_TRUSTED_ORIGINS = [SLIPWAY_URL, *env_list("SLIPWAY_TRUSTED_ORIGINS")]

# Applications ----------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "formtools",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "studio.access",
    "studio.wizards",
    "studio",
    "endpoints",
]

MIDDLEWARE = [
    "studio.access.doors.origins",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "studio.pages.session.SignInRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "studio.pages.errors.DomainErrors",
]

ROOT_URLCONF = "studio.urls"
ASGI_APPLICATION = "studio.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "studio.pages.shell.shell",
            ],
        },
    },
]

# Endpoints with auth_mode aad_token take bearers of this OpenID Connect issuer.
SLIPWAY_OIDC_ISSUER = env("SLIPWAY_OIDC_ISSUER")
SLIPWAY_OIDC_AUDIENCE = env("SLIPWAY_OIDC_AUDIENCE")
SLIPWAY_OIDC_JWKS_URI = env("SLIPWAY_OIDC_JWKS_URI")
SLIPWAY_OIDC_ROLE = env("SLIPWAY_OIDC_ROLE")

# Data ------------------------------------------------------------------------------------------------------


def _database(url: str) -> dict[str, object]:
    """Django's settings for `url`: `postgres://user:password@host:port/name` or `sqlite:///path`."""
    parts = urlsplit(url)
    if parts.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path.lstrip("/"),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or "") or env("SLIPWAY_DATABASE_PASSWORD"),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    if parts.scheme != "sqlite":
        raise ValueError(f"SLIPWAY_DATABASE_URL must begin with postgres:// or sqlite://, not {parts.scheme}://")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": unquote(parts.path),
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            # Writers queue instead of failing half-way: the lock is taken when a transaction begins.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


DATABASES = {"default": _database(env("SLIPWAY_DATABASE_URL", f"sqlite:///{SLIPWAY_HOME / 'studio.sqlite3'}"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Tokens are kept in a table of our own (access.ApiToken); knox would make a second one nobody uses.
MIGRATION_MODULES = {"knox": None}

# People ----------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "access.User"
KNOX_TOKEN_MODEL = "access.ApiToken"  # noqa: S105 - a model, no secret
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
CSRF_FAILURE_VIEW = "studio.pages.errors.csrf_failure"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SLIPWAY_URL.startswith("https://")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        # Plotly and the split bars set style attributes; no style element or sheet from elsewhere is allowed.
        "style-src": [SELF],
        "style-src-attr": ["'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# Work ------------------------------------------------------------------------------------------------------

SLIPWAY_REDIS_URL = env("SLIPWAY_REDIS_URL", f"unix://{SLIPWAY_HOME / 'run' / 'redis.sock'}")

# REST ------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "studio.access.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "endpoints.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
REST_KNOX = {"TOKEN_TTL": None, "AUTH_HEADER_PREFIX": "Bearer"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Slipway",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "POSTPROCESSING_HOOKS": ["endpoints.api.schemas.add_errors"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# Front end -------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "studio.plotly_files.PlotlyFinder",
]
# An embedded studio serves the files where they lie; `collectstatic` in an image hashes and compresses them.
WHITENOISE_USE_FINDERS = not env_bool("SLIPWAY_STATIC_COLLECTED", False)
STATIC_ROOT = None if WHITENOISE_USE_FINDERS else SLIPWAY_HOME / "static"
if not WHITENOISE_USE_FINDERS:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname).1s %(name)s - %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("SLIPWAY_LOG_LEVEL", "INFO")},
    # Celery tells of every task received and done: with a sweep every two seconds that buries what matters.
    "loggers": {"celery": {"level": "WARNING"}},
}
