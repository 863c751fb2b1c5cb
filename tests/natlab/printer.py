"""A printer: prints (on standard output, as JSON) where it listens, who connects and goes, and every byte that comes.

printer.py PORT
"""
import json, selectors, socket, sys


def say(**words):
    print(json.dumps(words), flush=True)


printer = socket.create_server(("", int(sys.argv[1])))
ready = selectors.DefaultSelector()
ready.register(printer, selectors.EVENT_READ)
say(listening=int(sys.argv[1]))
while True:
    for key, _ in ready.select():
        if key.fileobj is printer:
            job, address = printer.accept()
            ready.register(job, selectors.EVENT_READ)
            say(came=address[0])
            continue
        try:
            page = key.fileobj.recv(65536)
        except OSError:
            page = b""
        if page:
            say(printed=page.decode("latin-1"))
        else:
            ready.unregister(key.fileobj)
            key.fileobj.close()
            say(gone=True)
