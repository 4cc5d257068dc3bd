"""An SMTP server on loopback: prints its port, then one line of JSON for each message that it takes.

A recipient that begins with "refused" is refused for good, one that begins with "later" the first time only."""

import asyncio
import json
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP


class Handler:
    def __init__(self):
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 no such mailbox " + address
        if address.startswith("later") and address not in self.seen:
            self.seen.add(address)
            return "451 try again later " + address
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        print(
            json.dumps(
                {
                    "to": envelope.rcpt_tos,
                    "from": str(message["From"]),
                    "subject": str(message["Subject"]),
                    "id": str(message["Message-ID"]),
                    "text": message.get_content(),
                }
            ),
            flush=True,
        )
        return "250 OK"


async def main():
    handler = Handler()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="mail.test"), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test, which holds the other end.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
