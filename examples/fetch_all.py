#!/usr/bin/env python3
"""Join a hub, fetch everything that others offer, and print what arrived."""
import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("hub", help="a join link, or HOST:PORT")
parser.add_argument("name", nargs="?", default="fetcher")
parser.add_argument("folder", nargs="?", default="downloads")
args = parser.parse_args()

potluck = os.environ.get("POTLUCK", "potluck")
command = [potluck, "join", args.hub, "--name", args.name, "--downloads", args.folder, "--json"]
client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")


def ask(**request):
    client.stdin.write(json.dumps(request) + "\n")
    client.stdin.flush()


def fetch(offers):
    with contextlib.suppress(BrokenPipeError):  # If it has ended, its last lines say why.
        for offer in offers:
            # The same name may be offered by several people: both are kept.
            ask(**{"request": "get", "file": offer["file"], "from": offer["owner"], "on_conflict": "rename"})
        client.stdin.close()  # No more requests: the client finishes these, then leaves.


failed = False
ask(id="list", request="list")
for line in client.stdout:
    event = json.loads(line)
    if event["event"] == "table" and event.get("id") == "list":
        # Beside the reading: potluck takes no more requests while too many of its events were not read.
        threading.Thread(target=fetch, args=[event["offers"]]).start()
    elif event["event"] == "transfer-completed" and event["direction"] == "down":
        print(f"{event['path']}: {event['size']} bytes from {event['peer']}, BLAKE3 {event['hash']}")
    elif event["event"] == "error":
        failed = True
        print(f"{event['code']}: {event['message']}", file=sys.stderr)
sys.exit(client.wait() or failed)
