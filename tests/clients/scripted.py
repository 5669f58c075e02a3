"""HTTP servers that do what a test says: as the endpoint in front of a client, or as S3 behind the endpoint."""

import http.client
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, urlunsplit


@dataclass
class Request:
    """What arrived, and when."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What is sent back. With `promised`, a longer body is announced than is sent."""

    status: int
    headers: dict[str, str]
    body: bytes
    promised: int | None = None


HANG = "keeps the connection open and says nothing"
DROP = "closes the connection and says nothing"


class Scripted(ThreadingHTTPServer):
    """Answers the n-th request by the n-th step; the last step goes on for ever.

    A step is a `Reply`, `HANG`, `DROP`, or a function of the request that returns one of them.
    """

    def __init__(self, *steps):
        super().__init__(("127.0.0.1", 0), Handler)
        self.steps = steps
        self.seen: list[Request] = []
        self.sent: list[Reply | str] = []
        self.turn = threading.Lock()
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def reply(self, request: Request):
        with self.turn:
            step = self.steps[min(len(self.seen), len(self.steps) - 1)]
            self.seen.append(request)
            self.sent.append(step(request) if callable(step) else step)
            return self.sent[-1]

    def pauses(self):
        """Seconds between the requests."""
        return [later.at - earlier.at for earlier, later in zip(self.seen, self.seen[1:])]


class Handler(BaseHTTPRequestHandler):
    server: Scripted

    def handle_one(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        reply = self.server.reply(Request(time.monotonic(), self.command, self.path, headers, body))
        if reply is HANG:
            self.server.closing.wait()
        if reply is HANG or reply is DROP:
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(reply.promised or len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST = handle_one

    def log_message(self, *_):
        pass


def send(url: str, method: str = "POST", headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
    """Sends exactly this, and returns exactly what comes back."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    try:
        connection.request(method, urlunsplit(("", "", address.path, address.query, "")), body, headers or {})
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, received, response.read())
    finally:
        connection.close()


def forward(url: str, first=lambda: None):
    """A step that does something `first` and then has the real endpoint answer, by its own path."""

    def step(request: Request) -> Reply:
        first()
        query = urlsplit(request.path).query
        reply = send(f"{url}?{query}" if query else url, request.method, request.headers, request.body)
        for name in ("content-length", "transfer-encoding", "connection"):
            reply.headers.pop(name, None)
        return reply

    return step
