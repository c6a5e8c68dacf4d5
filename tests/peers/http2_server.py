"""HTTP over TLS with hooks: HTTP/2 by the h2 library, HTTP/1.1 where a peer speaks it."""
import asyncio
import itertools
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import hyperframe.frame

from .base import Peer, Records
from .http1_connection import Http1Connection
from .http_message import CUT, GOAWAY, LAST, NEVER, NO_ERROR, RESET, Answer, Request

BODY_MAX = 1 << 20
GOAWAY_CLOSE_S = 0.3


class _Http2Connection:
    """One connection; every request is answered in a task of its own."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.number = next(server.connection_numbers)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.incoming = {}      # stream -> (headers, body)
        self.unsent = {}        # stream -> rest of the answer that waits for the client's window, with its future
        self.answering = set()
        self.is_going_away = False

    def flush(self):
        if not self.writer.is_closing():
            self.writer.write(self.h2.data_to_send())

    async def run(self):
        codes = h2.settings.SettingCodes
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            codes.MAX_CONCURRENT_STREAMS: self.server.max_streams, codes.MAX_HEADER_LIST_SIZE: 65536})
        self.h2.initiate_connection()
        self.flush()
        while data := await self.reader.read(65536):
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                self.server.problems.append(f"the client broke HTTP/2: {error!r}")
                self.flush()
                return
            for event in events:
                self.take(event)
            self.flush()

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.incoming[event.stream_id] = (dict(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self.incoming and len(self.incoming[event.stream_id][1]) < BODY_MAX:
                self.incoming[event.stream_id][1].extend(event.data)
        elif isinstance(event, h2.events.StreamEnded) and event.stream_id in self.incoming:
            self.begin(event.stream_id, *self.incoming.pop(event.stream_id))
        elif isinstance(event, h2.events.StreamReset):
            self.incoming.pop(event.stream_id, None)
            self.forget(event.stream_id)
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            for stream in list(self.unsent):
                self.push_body(stream)

    def begin(self, stream, headers, body):
        request = Request(headers[":method"], headers[":path"], {name: value for name, value in headers.items() if name[0] != ":"},
                          bytes(body), self.number, stream, "2")
        task = asyncio.create_task(self.answer(request))
        self.answering.add(task)
        task.add_done_callback(self.answered)

    def answered(self, task):
        self.answering.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.server.problems.append(f"answering failed: {task.exception()!r}")
        if self.is_going_away and not self.answering:  # clients should have left by then
            asyncio.get_running_loop().call_later(GOAWAY_CLOSE_S, self.writer.close)

    async def answer(self, request):
        answer = self.server.decide(request)
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        if answer.instead in (CUT, NEVER):
            return self.writer.transport.abort() if answer.instead == CUT else None
        try:
            if answer.instead == RESET:
                self.h2.reset_stream(request.stream, answer.error)
            elif answer.instead == GOAWAY:
                self.go_away(request.stream - 2)
                return
            else:
                await self.send(request, answer)
        except h2.exceptions.ProtocolError:
            return  # the client has reset the stream, or has gone
        if answer.instead == LAST:
            self.go_away(self.h2.highest_inbound_stream_id)
        self.flush()

    async def send(self, request, answer):
        headers = [(":status", str(answer.status)), *((name.lower(), str(value)) for name, value in answer.headers.items())]
        self.h2.send_headers(request.stream, headers, end_stream=not answer.body)
        if answer.body:
            sent = asyncio.get_running_loop().create_future()
            self.unsent[request.stream] = (answer.body, sent)
            self.push_body(request.stream)
            self.flush()
            await sent
        self.flush()
        self.server.note_answered(request, answer)

    def push_body(self, stream):
        body, sent = self.unsent[stream]
        if self.h2.streams.get(stream) is None or self.h2.streams[stream].closed:  # reset in the same breath
            self.forget(stream)
            return
        while body and (room := min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)) > 0:
            self.h2.send_data(stream, body[:room], end_stream=len(body) <= room)
            body = body[room:]
        if body:
            self.unsent[stream] = (body, sent)
        else:
            self.forget(stream)

    def forget(self, stream):
        _, sent = self.unsent.pop(stream, (b"", None))
        if sent is not None and not sent.done():
            sent.set_result(None)

    def go_away(self, last_stream):
        """By hand: h2 would refuse to answer the streams that are still allowed."""
        frame = hyperframe.frame.GoAwayFrame(0, last_stream_id=max(last_stream, 0), error_code=NO_ERROR)
        self.flush()
        self.writer.write(frame.serialize())
        self.is_going_away = True


class HttpServer(Peer):
    """Subclasses judge a request in answer(); plan.once(key, Answer) goes before that, after check() found no fault."""

    alpn = ("h2",)  # (): HTTP/1.1 without TLS
    max_streams = 1000

    def __init__(self, authority):
        super().__init__()
        self.authority = authority
        self.requests = Records()
        self.connection_numbers = itertools.count(1)
        self._writers = set()

    @property
    def url(self):
        return f"{'https' if self.alpn else 'http'}://127.0.0.1:{self.port}"

    async def _listen(self, port):
        context = self.authority.server_context(self.alpn) if self.alpn else None
        return await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=context, backlog=256)

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            tls = writer.get_extra_info("ssl_object")
            kind = _Http2Connection if tls is not None and tls.selected_alpn_protocol() == "h2" else Http1Connection
            if kind is Http1Connection and self.alpn and "http/1.1" not in self.alpn:
                return
            await kind(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def _close_connections(self):
        for writer in list(self._writers):
            writer.transport.abort()

    # --- the hooks ---
    def answer(self, request):
        """Says whom it is for (request.key), reads it (request.content) and judges it as the provider would."""
        return Answer()

    def decide(self, request):
        answer = self.answer(request)
        request.status = 0 if answer.instead in (CUT, NEVER, RESET, GOAWAY) else answer.status
        self.requests.add(request)
        return answer

    def note_answered(self, request, answer):
        request.answered_at = time.time()
