"""The gateway's certificate, read again when its file changes: open connections are not touched."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Certificate:
    """`context` is None when TLS is off."""

    def __init__(self, certificate: Path | None, key: Path | None) -> None:
        self._certificate = certificate
        self._key = key
        self._seen: tuple[int, int] = (0, 0)
        self.context: ssl.SSLContext | None = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.context.set_alpn_protocols(["http/1.1"])
            self.load()

    def load(self) -> None:
        """Take the files as they are. Raises OSError and ssl.SSLError."""
        if self.context is not None and self._certificate is not None:
            self._seen = self._mark()
            self.context.load_cert_chain(self._certificate, self._key)

    def _mark(self) -> tuple[int, int]:
        if self._certificate is None or self._key is None:
            return (0, 0)
        return (self._certificate.stat().st_mtime_ns, self._key.stat().st_mtime_ns)

    def look(self) -> None:
        """Reload if the files changed; a pair that does not fit yet is tried again at the next change."""
        try:
            if self._mark() != self._seen:
                self.load()
                logger.info("the certificate was reloaded")
        except (OSError, ssl.SSLError) as error:
            logger.error("the new certificate is not used: %s", error)

    async def watch(self) -> None:
        """Look for ever."""
        while self.context is not None:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()
