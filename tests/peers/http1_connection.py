"""The HTTP/1.1 side of a peer: keep-alive, Content-Length and chunked bodies, one request after the other."""
import asyncio
import http

from .http_message import CUT, GOAWAY, LAST, NEVER, RESET, Request


class Http1Connection:
    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.number = next(server.connection_numbers)

    async def run(self):
        while (request := await self.read_request()) is not None:
            answer = self.server.decide(request)
            if answer.delay_s:
                await asyncio.sleep(answer.delay_s)
            if answer.instead in (CUT, RESET, GOAWAY):
                self.writer.transport.abort()
                return
            if answer.instead == NEVER:
                await self.reader.read()
                return
            await self.send(request, answer)
            if answer.instead == LAST or request.headers.get("connection", "").lower() == "close":
                return

    async def read_request(self):
        line = (await self.reader.readline()).decode("latin-1").split()
        if not line:
            return None
        headers = {}
        while header := (await self.reader.readline()).decode("latin-1").rstrip("\r\n"):
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(line[0], line[1], headers, await self.read_body(headers), self.number, 0, "1.1")

    async def read_body(self, headers):
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", "0")))
        body = b""
        while size := int((await self.reader.readline()).split(b";")[0], 16):
            body += await self.reader.readexactly(size)
            await self.reader.readline()
        await self.reader.readline()
        return body

    async def send(self, request, answer):
        headers = {"content-length": len(answer.body), **answer.headers}
        head = f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.writer.write(head.encode("latin-1") + b"\r\n" + answer.body)
        await self.writer.drain()
        self.server.note_answered(request, answer)
