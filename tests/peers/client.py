"""client.py HOST PORT CA: prints the page of https://HOST/, found at a port of 127.0.0.1, its certificate verified."""

import http.client
import socket
import ssl
import sys


class AtLoopback(http.client.HTTPSConnection):
    """Connects to 127.0.0.1, whatever the host, and asks there for the host."""

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


host, port, authority = sys.argv[1:]
connection = AtLoopback(host, int(port), timeout=20, context=ssl.create_default_context(cafile=authority))
connection.request("GET", "/")
response = connection.getresponse()
if response.status != 200:
    sys.exit(f"{response.status} {response.reason}")
print(response.read().decode(), end="")
