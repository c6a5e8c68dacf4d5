"""Stand-ins for the providers that the notifier speaks to: real TLS, HTTP/2 and SMTP on loopback, strict like the originals."""
