#!/usr/bin/env python3
"""A TCP server that gives the records NAME-0, NAME-1 … to whoever called last, each once, and says in a file how far it is.

  server.py --port P --name NAME --records N --state FILE [--first K] [--rate R] [--host H] [--hold N]
            [--framing newline|zero|length1|length2|length4] [--tls CERTIFICATE KEY [--client-ca CA]]
            [--long-every N] [--fixed]

A record counts as sent when the kernel has taken it; what was on its way when a connection broke is not sent again. After its last record
the server keeps the connection open. With --hold it stops after so many records until SIGUSR1. With --long-every each Nth record is
followed by one of 5000 bytes, which a client is to drop. With --fixed a record is NAME:0000000, of one width, so
that it is found in other bytes. SIGTERM ends it in order: the connection is shut down after the last whole record.
FILE holds "sent CONNECTIONS", whole numbers.
"""
import argparse, os, select, signal, socket, ssl, sys, time

CHUNK = 200


def read_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--hold", type=int, default=0)
    parser.add_argument("--state", required=True)
    parser.add_argument("--framing", default="newline")
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--client-ca")
    parser.add_argument("--long-every", type=int, default=0)
    parser.add_argument("--fixed", action="store_true")
    return parser.parse_args()


class Server:
    def __init__(self, arguments):
        self.arguments = arguments
        self.next = arguments.first
        self.hold = arguments.hold
        self.connections = 0
        self.peer = None
        self.ending = False
        self.context = None
        if arguments.tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*arguments.tls)
            if arguments.client_ca:
                self.context.load_verify_locations(arguments.client_ca)
                self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server((arguments.host, arguments.port))
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "ending", True))
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "hold", 0))

    def note(self):
        with open(self.arguments.state + ".new", "w") as file:
            file.write(f"{self.next} {self.connections}\n")
        os.replace(self.arguments.state + ".new", self.arguments.state)

    def frame(self, record):
        framing = self.arguments.framing
        if framing.startswith("length"):
            return len(record).to_bytes(int(framing[6:]), "big") + record
        return record + (b"\0" if framing == "zero" else b"\n")

    def chunk(self, end):
        parts = []
        for i in range(self.next, end):
            form = b"%s:%07d" if self.arguments.fixed else b"%s-%d"
            parts.append(self.frame(form % (self.arguments.name.encode(), i)))
            if self.arguments.long_every and i % self.arguments.long_every == 0:
                parts.append(self.frame(b"x" * 5000))
        return b"".join(parts)

    def accept(self, wait):
        """The newest caller is the one that is served; the one before has let go, or is gone."""
        while select.select([self.listener], [], [], wait)[0]:
            peer, _ = self.listener.accept()
            if self.peer:
                self.peer.close()
                self.peer = None
            try:
                peer.settimeout(10)
                self.peer = self.context.wrap_socket(peer, server_side=True) if self.context else peer
                self.connections += 1
            except OSError:
                peer.close()
            wait = 0

    def peer_is_gone(self):
        """A client sends nothing: what can be read is its end."""
        if not select.select([self.peer], [], [], 0)[0]:
            return False
        try:
            return not self.peer.recv(1)
        except (ssl.SSLWantReadError, BlockingIOError, TimeoutError):
            return False
        except OSError:
            return True

    def send(self, end):
        try:
            self.peer.settimeout(None)
            self.peer.sendall(self.chunk(end))
            self.next = end
        except OSError:  # how much of it came is not known: it counts as sent
            self.next = end
            self.peer.close()
            self.peer = None

    def run(self):
        self.note()
        print("listening", flush=True)
        begun = time.monotonic()
        while not self.ending:
            self.accept(0 if self.peer else 0.05)
            if self.peer and self.peer_is_gone():
                self.peer.close()
                self.peer = None
            last = self.hold or self.arguments.records
            end = min(self.next + CHUNK, last)
            if self.arguments.rate:
                allowed = self.arguments.first + int((time.monotonic() - begun) * self.arguments.rate)
                end = min(end, allowed)
            if self.peer and end > self.next:
                self.send(end)
            else:
                time.sleep(0.01)
            self.note()
        self.finish()

    def finish(self):
        self.listener.close()
        if not self.peer:
            return
        try:
            self.peer.settimeout(10)
            if self.context:
                self.peer = self.peer.unwrap()
            self.peer.shutdown(socket.SHUT_WR)
            while self.peer.recv(1):
                pass
        except OSError:
            pass


if __name__ == "__main__":
    Server(read_arguments()).run()
