"""A small model server as a process of its own, so that it can be killed: `python instance_process.py <port> <name>`.

POST answers `{"instance", "bytes"}`; `/sse` sends three events 0.2 s apart; `/slow` takes half a second.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = await read_body(reader, head)
            path = head.split(b" ")[1]
            if path == b"/sse":
                await stream(writer)
                continue
            if path == b"/slow":
                await asyncio.sleep(0.5)
            body = b'{"instance": "%b", "bytes": %d}' % (name.encode(), size)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def read_body(reader: asyncio.StreamReader, head: bytes) -> int:
    if b"transfer-encoding: chunked" in head:
        total = 0
        while length := int(await reader.readline(), 16):
            await reader.readexactly(length + 2)
            total += length
        await reader.readline()
        return total
    found = head.partition(b"content-length:")[2].split(b"\r\n")[0]
    total = left = int(found or 0)
    while left:
        left -= len(await reader.read(min(left, 1 << 20)) or b"x" * left)
    return total


async def stream(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for number in range(3):
        writer.write(b"9\r\ndata: %d\n\n\r\n" % number)
        await writer.drain()
        await asyncio.sleep(0.2)
    writer.write(b"0\r\n\r\n")


async def main(port: int, name: str) -> None:
    server = await asyncio.start_server(lambda r, w: answer(r, w, name), "127.0.0.1", port, limit=1 << 20)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
    print(server.sockets[0].getsockname()[1], flush=True)
    with suppress(asyncio.CancelledError):
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
