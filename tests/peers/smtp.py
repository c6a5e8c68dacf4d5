"""A mail server: STARTTLS, authentication only inside it, planned refusals per recipient."""
import asyncio
import email
import email.policy
import time

import aiosmtpd.smtp

from .base import Peer, Records


class Mail:
    def __init__(self, envelope, message, was_encrypted):
        self.sender, self.recipients, self.message, self.was_encrypted = envelope.mail_from, list(envelope.rcpt_tos), message, was_encrypted
        self.raw = envelope.original_content
        self.at = time.time()

    @property
    def text(self):
        return self.message.get_body(("plain",)).get_content()

    def __repr__(self):
        return f"<mail to {self.recipients}: {self.message['subject']}>"


class _Session(aiosmtpd.smtp.SMTP):
    def connection_made(self, transport):
        self.event_handler.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error):
        self.event_handler.sessions.discard(self)
        super().connection_lost(error)


class Smtp(Peer):
    """Planned answers ("452 4.2.2 full") go by recipient. "data:" + recipient: after the message; "cut": the line goes dead."""

    def __init__(self, authority, *, user="notifier", password="mail-password", requires_tls=True):
        super().__init__()
        self.authority, self.user, self.password, self.requires_tls = authority, user, password, requires_tls
        self.mails = Records()
        self.recipients = Records()  # (address, answer) of every RCPT
        self.sessions = set()

    def settings(self):
        return {"HANSOM_EMAIL_URL": f"smtp://127.0.0.1:{self.port}", "HANSOM_EMAIL_USER": self.user,
                "HANSOM_EMAIL_PASSWORD": self.password, "HANSOM_EMAIL_FROM": "Rides <rides@example.org>"}

    async def _listen(self, port):
        def session():
            return _Session(self, hostname="localhost", tls_context=self.authority.server_context() if self.requires_tls else None,
                            require_starttls=self.requires_tls, auth_required=True, auth_require_tls=self.requires_tls,
                            authenticator=self._authenticate, loop=asyncio.get_running_loop())
        return await asyncio.get_running_loop().create_server(session, "127.0.0.1", port)

    def _close_connections(self):
        for session in list(self.sessions):
            if session.transport is not None and not session.transport.is_closing():
                session.transport.abort()

    def _authenticate(self, server, session, envelope, mechanism, data):
        is_right = isinstance(data, aiosmtpd.smtp.LoginPassword) and (data.login, data.password) == (self.user.encode(), self.password.encode())
        return aiosmtpd.smtp.AuthResult(success=is_right, handled=False)

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.plan.take(address) or "250 2.1.5 OK"
        self.recipients.add((address, answer))
        if answer == "cut":
            server.transport.abort()
        elif answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        answer = self.plan.take(f"data:{envelope.rcpt_tos[0]}", is_somebody=False) or "250 2.0.0 queued as 1"
        if answer.startswith("2") or answer == "cut":
            message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
            self.mails.add(Mail(envelope, message, session.ssl is not None))
        if answer == "cut":
            server.transport.abort()
        return answer
