"""Says which way there is from a host of a laboratory to another one, by sockets alone: direct, punched or relayed.

probe.py ASKER GIVER HUB: the asker dials the giver, then both dial each other from ports that the hub has seen.
"""
import ctypes, errno, random, select, socket, sys, time

CLONE_NEWNET = 0x40000000
RETRY = 0.1  # seconds at most until what was refused is tried again: two round trips where delays are longest
libc = ctypes.CDLL(None, use_errno=True)


def tcp(host, port, family):
    """A socket that belongs to a host, on this port."""
    with open(f"/run/netns/{host}") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), host)
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("", port))
    made.setblocking(False)
    return made


def dial(made, address):
    error = made.connect_ex(address)
    if error not in (0, errno.EINPROGRESS):
        raise OSError(error, f"dialling {address}")
    return made


def connects(ends, seconds, listeners=()):
    """Whether somebody gets through in time. An end is what makes a socket that dials; on refusal it does so again."""
    until = time.monotonic() + seconds
    again = [(0, end) for end in ends]
    dialling = {}
    while (now := time.monotonic()) < until and (again or dialling):
        for due in [due for due in again if due[0] <= now]:
            again.remove(due)
            dialling[due[1]()] = due[1]
        pause = min([until] + [at for at, _ in again]) - time.monotonic()
        accepted, answered, _ = select.select(listeners, dialling, [], max(0, pause))
        if accepted or any(made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 for made in answered):
            return True
        for made in answered:
            made.close()
            again.append((time.monotonic() + random.uniform(0, RETRY), dialling.pop(made)))
    return False


def listen(host, port):
    made = tcp(host, port, family)
    made.listen()
    return made


asker, giver, hub = sys.argv[1:]
family = socket.AF_INET6 if ":" in hub else socket.AF_INET
meeting = listen("hub", 7000)


def observed(host, port):
    """From where the hub sees a port of a host. The connection stays open."""
    half = dial(tcp(host, port, family), (hub, 7000))
    select.select([meeting], [], [], 5)
    seen, address = meeting.accept()
    return (half, seen), address[:2]


_kept, giver_seen = observed(giver, 4100)
_listening = listen(giver, 4200)
if connects([lambda: dial(tcp(asker, 0, family), (giver_seen[0], 4200))], 1):
    print("direct")
    sys.exit()
_also_kept, asker_seen = observed(asker, 4100)
listeners = [listen(asker, 4100), listen(giver, 4100)]
ends = [lambda: dial(tcp(asker, 4100, family), giver_seen), lambda: dial(tcp(giver, 4100, family), asker_seen)]
print("punched" if connects(ends, 2, listeners) else "relayed")
