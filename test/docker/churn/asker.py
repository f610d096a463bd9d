# The process of a container under churn: asks for its own role without end and writes each answer down, so that nothing is lost when it is killed.
#
#   asker.py FILE_PREFIX ROLE [ROUNDS]     ROLE is empty where there is no binding; after ROUNDS, or CHURN_LIFE_MS, it ends by itself.
#                                          CHURN_PAUSE_MS between two rounds
#
# A round asks for the list and for the document, each over a connection of its own. Now and then the list is asked for with another request right
# behind it, which nobody must answer. Beside that there is a connection that was opened earlier, up to some seconds before anything is asked over it.
#
# A line is a list of texts with tabs between them:
#   here      MS  ADDRESS,ADDRESS                 the addresses that are this network namespace's own now
#   list|doc  OPENED_MS SENT_MS DONE_MS SOURCE OUTCOME VALUE
#                                                 SENT_MS is later only where the connection was opened earlier. OUTCOME is the status, or why
#                                                 there was none; VALUE what was listed, or the access key id
import errno
import os
import signal
import socket
import sys
import time

LIMIT_SECONDS = 12  # a container that is starting is waited for and then its lease, 5 s each
LOOK_EVERY = 5
PIPELINE_EVERY = 7
EARLY_MS = (100, 400, 1000, 2500)
TOO_LATE_MS = 8000  # the gateway waits 10 s for a request
NOBODY_SECONDS = 0.1  # after a round in which there was no status
CREDENTIALS = "/latest/meta-data/iam/security-credentials/"


def own_addresses():
    found = []
    with open("/proc/self/net/fib_trie") as file:
        leaf = ""
        for line in file:
            if "|-- " in line:
                leaf = line.split()[-1]
            elif "/32 host LOCAL" in line and not leaf.startswith("127.") and leaf not in found:
                found.append(leaf)
    try:
        with open("/proc/self/net/if_inet6") as file:
            for line in file:
                digits, _, _, scope, _, device = line.split()
                if scope == "00" and device != "lo":
                    found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    except FileNotFoundError:
        pass
    return found


def reason_of(error):
    if isinstance(error, TimeoutError):
        return "timeout"
    return type(error).__name__ if type(error) is not OSError else f"errno {error.errno}"


def opened(source):
    family, address = (socket.AF_INET6, "fd00:ec2::254") if ":" in source else (socket.AF_INET, "169.254.169.254")
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(LIMIT_SECONDS)
        if source:
            connection.bind((source, 0))
        connection.connect((address, 80))
    except OSError:
        connection.close()
        raise
    return connection


def answer_over(connection, request):
    """Status and body, or why there is none. Sends, reads to the end, and closes."""
    answer = b""
    with connection:
        connection.sendall(request)
        while received := connection.recv(65536):
            answer += received
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return "cut", ""
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), len(body))
    if length != len(body):
        return ("cut" if len(body) < length else "more than one answer"), ""
    return head.split(b" ", 2)[1].decode(), body.decode("latin-1")


def value_in(kind, body):
    if kind == "list":
        return " ".join(body.split())
    _, found, rest = body.partition('"AccessKeyId" : "')
    return rest.partition('"')[0] if found else "no key"


def now_ms():
    return int(time.time() * 1000)


class Asker:
    def __init__(self, prefix, role):
        self.log = os.open(f"{prefix}.{now_ms()}.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        get = lambda path: f"GET {path} HTTP/1.1\r\nHost: imds\r\nConnection: keep-alive\r\n\r\n".encode()
        self.requests = {"list": get(CREDENTIALS), "doc": get(CREDENTIALS + (role or "role-0"))}
        self.known = None
        self.early = None
        self.is_answered = True

    def note(self, *fields):
        os.write(self.log, ("\t".join(map(str, fields)) + "\n").encode())

    def look(self):
        addresses = own_addresses()
        if addresses != self.known:
            self.note("here", now_ms(), ",".join(addresses))
        self.known = addresses

    def connect(self, kind, source, opened_ms):
        """None where there is no connection. Where the address was taken away since the last look nothing was asked, and nothing is told."""
        try:
            return opened(source)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                self.is_answered = False
                self.note(kind, opened_ms, opened_ms, now_ms(), source or "-", reason_of(error), "")
            return None

    def ask(self, kind, source, behind=b""):
        opened_ms = now_ms()
        connection = self.connect(kind, source, opened_ms)
        if connection:
            self.ask_over(connection, kind, source, (opened_ms, opened_ms), behind)

    def ask_over(self, connection, kind, source, times, behind=b""):
        try:
            outcome, body = answer_over(connection, self.requests[kind] + behind)
        except OSError as error:
            outcome, body = reason_of(error), ""
        self.is_answered = self.is_answered and outcome.isdigit()
        self.note(kind, *times, now_ms(), source or "-", outcome, value_in(kind, body) if outcome == "200" else "")

    def keep_early(self, number, source):
        """Opens a connection, or asks over the one that was opened when it has waited for long enough."""
        now = now_ms()
        if self.early is None:
            connection = self.connect("list", source, now)
            if connection:
                self.early = (connection, source, now, EARLY_MS[number % len(EARLY_MS)])
            return
        connection, source, opened_ms, wait = self.early
        if now - opened_ms < wait:
            return
        self.early = None
        if now - opened_ms > TOO_LATE_MS:
            connection.close()
        else:
            self.ask_over(connection, "doc" if number % 2 else "list", source, (opened_ms, now))


def main(prefix, role, rounds):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    born = time.time()
    life = float(os.environ.get("CHURN_LIFE_MS", "inf")) / 1000
    pause = float(os.environ["CHURN_PAUSE_MS"]) / 1000
    asker = Asker(prefix, role)
    for number in range(rounds):
        if time.time() - born > life:
            return
        if number % LOOK_EVERY == 0:
            asker.look()
        asker.is_answered = True
        source = ([""] + asker.known)[number % (len(asker.known) + 1)]
        behind = asker.requests["doc"] if number % PIPELINE_EVERY == 0 else b""
        asker.ask("list", source, behind)
        asker.ask("doc", source)
        asker.keep_early(number, source)
        time.sleep(pause if asker.is_answered else max(pause, NOBODY_SECONDS))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else sys.maxsize)
