"""Every peer at once, and the settings that point the notifier at them."""
import pathlib

from .apns import Apns
from .fcm import Fcm
from .sms import Sms
from .smtp import Smtp
from .tls import Authority
from .webhook import Webhook
from .webpush import WebPush


class Peers:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(folder)
        self.fcm, self.apns, self.webpush, self.sms, self.smtp, self.webhook = self.everyone = [
            kind(self.authority) for kind in (Fcm, Apns, WebPush, Sms, Smtp, Webhook)]

    def start(self):
        for peer in self.everyone:
            peer.start()

    def stop(self):
        for peer in self.everyone:
            peer.stop()

    def forget_plans(self):
        for peer in self.everyone:
            peer.plan.clear()

    def settings(self):
        found = {"HANSOM_PROVIDER_CA_FILE": str(self.authority.ca_file), "HANSOM_ALLOW_PRIVATE_TARGETS": "true"}
        for peer in self.everyone:
            found.update(peer.settings())
        return found
