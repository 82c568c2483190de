"""A client of the GDB remote protocol, for whoever wants to hear a stub without gdb in between."""
import select
import socket
import time

PATIENCE_S = 60


def checksum(payload):
    return sum(payload) & 0xFF


def escape(data):
    """Binary data as packets carry it."""
    return b"".join(b"}" + bytes([byte ^ 0x20]) if byte in b"$#}*" else bytes([byte]) for byte in data)


def expand(payload):
    """What a packet says, without escapes and runs."""
    if b"}" not in payload and b"*" not in payload:
        return payload
    out, i = bytearray(), 0
    while i < len(payload):
        byte = payload[i]
        if byte == 0x7D:
            out.append(payload[i + 1] ^ 0x20)
            i += 2
        elif byte == 0x2A:
            out += out[-1:] * (payload[i + 1] - 29)
            i += 2
        else:
            out.append(byte)
            i += 1
    return bytes(out)


def connect(address):
    """'HOST:PORT', or the path of a socket, as gdb takes them."""
    if "/" in address:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        return connection
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host or "127.0.0.1", int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Client:
    """One connection, without acknowledgements where the stub can do without."""

    def __init__(self, address):
        self.socket = connect(address)
        self.buffer = b""
        self.acks = True
        said = self.ask(b"qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386")
        self.features = expand(said).decode("latin-1").split(";")
        if "QStartNoAckMode+" in self.features and self.ask(b"QStartNoAckMode") == b"OK":
            self.acks = False

    def close(self):
        self.socket.close()

    def send(self, payload):
        self.socket.sendall(b"$" + payload + b"#%02x" % checksum(payload))

    def receive(self):
        """The next packet, as it came: see expand."""
        end = time.monotonic() + PATIENCE_S
        while True:
            start = self.buffer.find(b"$")
            hash_at = self.buffer.find(b"#", start) if start >= 0 else -1
            if 0 <= hash_at <= len(self.buffer) - 3:
                payload = self.buffer[start + 1:hash_at]
                self.buffer = self.buffer[hash_at + 3:]
                if self.acks:
                    self.socket.sendall(b"+")
                return payload
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the stub says nothing")
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise EOFError("the stub has closed the connection")
            self.buffer += piece

    def ask(self, payload):
        self.send(payload)
        return self.receive()

    def interrupt(self):
        """Seconds from ^C to the stop."""
        before = time.monotonic()
        self.socket.sendall(b"\x03")
        self.receive()
        return time.monotonic() - before
