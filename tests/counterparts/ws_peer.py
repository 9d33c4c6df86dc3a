"""A city app's side of the hub's websocket protocol, on a foreign implementation (PyPI websockets).

Standard input, one JSON object a line:
    {"do": "open", "url": URL, "origin"?: TEXT}   connects
    {"do": "frame", "frame": {...}}               sends a frame
    {"do": "raw", "text": TEXT}                   sends a text frame as it is
    {"do": "drop"}                                breaks the connection without a goodbye
    {"do": "close"}                               closes properly
Standard output, one JSON object a line:
    {"event": "open"} | {"event": "refused", "status": HTTP STATUS or null}
    {"event": "frame", "frame": {...}}
    {"event": "closed", "code": CODE or null}
Ends when standard input closes.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


def say(**event):
    print(json.dumps(event, ensure_ascii=False), flush=True)


async def listen(socket):
    try:
        while True:
            say(event="frame", frame=json.loads(await socket.recv()))
    except ConnectionClosed as closed:
        say(event="closed", code=closed.rcvd.code if closed.rcvd else None)


async def main():
    reader = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    socket, listener = None, None
    while line := await reader.readline():
        order = json.loads(line)
        match order["do"]:
            case "open":
                try:
                    socket = await connect(order["url"], origin=order.get("origin"), proxy=None)
                except (InvalidStatus, OSError) as error:
                    response = getattr(error, "response", None)
                    say(event="refused", status=response.status_code if response else None)
                    continue
                say(event="open")
                listener = asyncio.create_task(listen(socket))
            case "frame":
                await socket.send(json.dumps(order["frame"], ensure_ascii=False))
            case "raw":
                await socket.send(order["text"])
            case "drop":
                socket.transport.abort()
                await listener
            case "close":
                await socket.close()
                await listener


asyncio.run(main())
