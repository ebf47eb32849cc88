"""A real HTTP server on loopback that can misbehave."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves one body; `misbehave` holds, per request to come, what to do instead of sending it whole."""

    def __init__(self, body: bytes, path: str = "cifar-10-binary.tar.gz") -> None:
        self.body, self.misbehave, self.requests = body, list[str](), 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests += 1
                fault = server.misbehave.pop(0) if server.misbehave else ""
                if fault.isdigit():
                    self.send_error(int(fault))
                    return
                self.send_response(200)
                if fault != "no length":
                    self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                half = fault in ("truncated", "no length")
                self.wfile.write(server.body[: len(server.body) // 2] if half else server.body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/{path}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
