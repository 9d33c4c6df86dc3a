"""An SMTP server (aiosmtpd) that takes mail or fails on purpose.

usage: smtp_sink.py PORT

Works in its current directory: `mode` says how to behave, read anew for each mail, and each mail taken becomes a file
in `mails` (first line: envelope as JSON, then the raw mail). Modes:

accept            250
rcpt-CODE         that code in answer to RCPT TO, such as rcpt-451 or rcpt-550
data-CODE         that code in answer to the mail itself
drop              the mail is taken, but the connection breaks before the answer
"""

import asyncio
import itertools
import json
import pathlib
import sys

from aiosmtpd.controller import UnthreadedController

ENHANCED = {"4": "4.7.1 try again later", "5": "5.1.1 no such mailbox"}


class Sink:
    def __init__(self):
        self.numbers = itertools.count(1)

    @staticmethod
    def refusal(stage):
        mode = pathlib.Path("mode").read_text(encoding="ascii").strip()
        if mode.startswith(stage + "-"):
            code = mode.removeprefix(stage + "-")
            return f"{code} {ENHANCED[code[0]]}"
        return None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if refusal := self.refusal("rcpt"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if refusal := self.refusal("data"):
            return refusal
        head = json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos}).encode()
        name = f"{next(self.numbers):06}"
        unfinished = pathlib.Path("mails", "." + name)
        unfinished.write_bytes(head + b"\n" + envelope.content)
        unfinished.rename(unfinished.with_name(name))
        if pathlib.Path("mode").read_text(encoding="ascii").strip() == "drop":
            server.transport.abort()
        return f"250 2.0.0 queued as {name}"


async def main():
    controller = UnthreadedController(Sink(), hostname="127.0.0.1", port=int(sys.argv[1]), loop=asyncio.get_running_loop())
    await controller._create_server()
    await asyncio.Event().wait()


asyncio.run(main())
