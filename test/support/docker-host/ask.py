# Sends requests as they stand and tells the answers as they come. On standard input: {"address", "source", "requests"}, `source` being the
# sender's own address or empty; on standard output: a list of texts, one character a byte. A request that got no answer gives the reason, in angle brackets.
import json
import socket
import sys


def answer_to(address, source, request):
    try:
        with socket.create_connection((address, 80), 3, (source, 0)) as connection:
            connection.sendall(request.encode("latin-1"))
            answer = b""
            while received := connection.recv(65536):
                answer += received
        return answer.decode("latin-1") or "<closed>"
    except OSError as error:
        return "<timeout>" if isinstance(error, TimeoutError) else f"<{type(error).__name__}>"


asked = json.load(sys.stdin)
print(json.dumps([answer_to(asked["address"], asked["source"], request) for request in asked["requests"]]))
