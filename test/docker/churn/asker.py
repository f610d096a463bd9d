# The process of a container under churn: asks for its own role without end and writes each answer down, so that nothing is lost when it is killed.
#
#   asker.py FILE_PREFIX ROLE [ROUNDS]     ROLE is empty where there is no binding; after ROUNDS, or CHURN_LIFE_MS, it ends by itself
#
# A line is a list of texts with tabs between them:
#   here      MS  ADDRESS,ADDRESS                 the addresses that are this network namespace's own now
#   list|doc  SENT_MS DONE_MS SOURCE OUTCOME VALUE  OUTCOME is the status, or why there was none; VALUE the role or the access key id
import errno
import os
import re
import signal
import socket
import sys
import time

LIMIT_SECONDS = 12  # a container that is starting is waited for and then its lease, 5 s each
PAUSE_SECONDS = 0.05
LOOK_EVERY = 5
NO_SUCH_ADDRESS = f"errno {errno.EADDRNOTAVAIL}"
CREDENTIALS = "/latest/meta-data/iam/security-credentials/"


def own_addresses():
    found = []
    with open("/proc/self/net/fib_trie") as file:
        for leaf in re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", file.read()):
            if not leaf.startswith("127.") and leaf not in found:
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


def answer_to(path, source):
    address = "fd00:ec2::254" if ":" in source else "169.254.169.254"
    request = f"GET {path} HTTP/1.1\r\nHost: imds\r\n\r\n".encode()
    answer = b""
    try:
        with socket.create_connection((address, 80), LIMIT_SECONDS, (source, 0) if source else None) as connection:
            connection.sendall(request)
            while received := connection.recv(65536):
                answer += received
    except TimeoutError:
        return "timeout", ""
    except OSError as error:
        return (type(error).__name__ if type(error) is not OSError else f"errno {error.errno}"), ""
    head, separator, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if not separator or (length and int(length[1]) != len(body)):
        return "cut", ""
    return head.split(b" ")[1].decode(), body.decode("latin-1")


def now_ms():
    return int(time.time() * 1000)


def main(prefix, role, rounds):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    born = time.time()
    life = float(os.environ.get("CHURN_LIFE_MS", "inf")) / 1000
    log = os.open(f"{prefix}.{now_ms()}.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    known = None

    def note(*fields):
        os.write(log, ("\t".join(map(str, fields)) + "\n").encode())

    for number in range(rounds):
        if time.time() - born > life:
            return
        if number % LOOK_EVERY == 0:
            addresses = own_addresses()
            if addresses != known:
                note("here", now_ms(), ",".join(addresses))
            known = addresses
        source = ([""] + known)[number % (len(known) + 1)]
        for kind, path in (("list", CREDENTIALS), ("doc", CREDENTIALS + (role or "role-0"))):
            sent = now_ms()
            outcome, body = answer_to(path, source)
            if outcome == NO_SUCH_ADDRESS:
                break  # it was taken away since the last look, and nothing was asked
            value = ""
            if outcome == "200":
                value = body.split("\n")[0] if kind == "list" else (re.search(r'"AccessKeyId" : "(\w+)"', body) or ["", "no key"])[1]
            note(kind, sent, now_ms(), source or "-", outcome, value)
        time.sleep(PAUSE_SECONDS)


main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else sys.maxsize)
