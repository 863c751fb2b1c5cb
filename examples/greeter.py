#!/usr/bin/env python3
"""A bot: offers the files of a folder, greets whoever comes, answers !help and !files, fetches what others offer.

    examples/greeter.py HUB NAME OFFERS DOWNLOADS

It shows how a program lives at a hub: it writes potluck one request a line, reads one event a line, and knows
answers by their `id`. Ctrl-C or SIGTERM ends it, with the exit code of potluck. Python's standard library is all
that it needs; $POTLUCK says where potluck is if it is not on the PATH.
"""
import argparse
import collections
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time

MESSAGE_BYTES = 16 * 1024  # The longest text of a message, in UTF-8.
HELP = "!files lists what is offered here, !help says this."


class Bot:
    def __init__(self, client, folder):
        self.client = client
        self.folder = folder
        self.name = None
        self.number = math.inf  # Whoever comes after us has a higher number than we.
        self.greeted = set()
        self.known = set()  # Offers that were fetched, or will be.
        self.to_fetch = collections.deque()
        self.fetching = False
        self.ids = itertools.count(1)
        self.asked = {}  # Requests that wait for their answer, by id.

    def run(self):
        for line in self.client.stdout:
            event = json.loads(line)
            # What has no handler is ignored: there may be events that this program does not know.
            handle = getattr(self, "on_" + event["event"].replace("-", "_"), None)
            if handle:
                handle(event)
            if event.get("final") and event.get("id") in self.asked:
                self.answered(event)

    def ask(self, request, then=None):
        """Sends a request; `then` is called with the answer."""
        number = next(self.ids)
        self.asked[number] = request, then
        try:
            self.client.stdin.write(json.dumps({**request, "id": number}) + "\n")
        except BrokenPipeError:
            pass  # It has ended, and its last lines say why.

    def answered(self, event):
        request, then = self.asked.pop(event["id"])
        if event["event"] == "error" and event["retry"] == "later" and "wait" in event:
            # `slow-down`: the hub says for how long. Nobody else waits for us meanwhile.
            time.sleep(event["wait"] / 1000)
            self.ask(request, then)
        elif then:
            then(event)

    def say(self, to, text):
        self.ask({"request": "message", "to": to, "text": text})

    def on_ready(self, event):
        self.name = event["name"]

    def on_welcome(self, event):
        if self.number == math.inf:
            # Only the first time: if the hub was restarted, potluck offers everything again by itself.
            self.offer_all()
        self.number = event["number"]
        print("here as", self.name)

    def offer_all(self):
        for entry in os.scandir(self.folder):
            if entry.is_file(follow_symlinks=False):
                # One by one: of one request, all files are offered or none.
                self.ask({"request": "offer", "files": [entry.name]})

    def on_roster_updated(self, event):
        for person in event["clients"]:
            name = person["name"]
            if person["state"] == "online" and person["number"] > self.number and name not in self.greeted:
                self.greeted.add(name)
                self.say(name, f"Welcome, {name}. {HELP}")
                print("greeted", name)

    def on_message(self, event):
        # Nothing but commands is answered, and no answer is a command: two bots do not keep each other talking.
        asker, command = event["from"], event["text"].strip()
        if asker == self.name:
            return
        if command == "!help":
            self.say(asker, HELP)
        elif command == "!files":
            self.ask({"request": "list"}, lambda answer: self.tell_files(asker, answer))

    def tell_files(self, asker, answer):
        if answer["event"] == "table":
            files = [f"{offer['file']} from {offer['owner']}, {offer['size']} bytes" for offer in answer["offers"]]
            self.say(asker, one_message(f"Files offered here: {len(files)}", files))

    def on_table_updated(self, event):
        for offer in event["added"]:
            if offer["owner"] != self.name and key(offer) not in self.known:
                self.known.add(key(offer))
                self.to_fetch.append(offer)
        self.fetch_next()

    def fetch_next(self):
        # One after the other: who writes without end and does not read meanwhile may wait forever, because
        # potluck takes no more requests while too many of its events were not read.
        if self.to_fetch and not self.fetching:
            self.fetching = True
            offer = self.to_fetch.popleft()
            file, owner = offer["file"], offer["owner"]
            # Several people may offer the same name: each has a folder.
            get = {"request": "get", "file": file, "from": owner, "to": f"{owner}/{file}", "on_conflict": "overwrite"}
            self.ask(get, lambda answer: self.fetched(offer, answer))

    def fetched(self, offer, answer):
        if answer["event"] == "transfer-completed":
            print("fetched", answer["path"])
            self.say(offer["owner"], f"Thank you for {offer['file']}.")
        elif answer["event"] == "error" and answer["retry"] != "never":
            self.known.discard(key(offer))  # If it is offered again, it is tried again.
        self.fetching = False
        self.fetch_next()

    def on_error(self, event):
        print(f"{event['code']}: {event['message']}", file=sys.stderr)

    def on_hub_lost(self, event):
        print("hub lost:", event["reason"])

    def on_bye(self, event):
        print("bye:", event["reason"])


def key(offer):
    return offer["owner"], offer["file"], offer["hash"]


def one_message(title, lines):
    """The title and the lines below it; those that are too many for one message are only counted."""
    text = title
    for number, line in enumerate(lines):
        more = f"\n({len(lines) - number} more)"
        if len(f"{text}\n{line}{more}".encode()) > MESSAGE_BYTES:
            return text + more
        text += "\n" + line
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hub", help="a join link, or HOST:PORT")
    parser.add_argument("name", help="the name to go by")
    parser.add_argument("offers", help="the folder whose files are offered")
    parser.add_argument("downloads", help="the folder that downloads go to")
    args = parser.parse_args()
    # A line that somebody waits for, and names that the terminal may not know.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")

    command = [os.environ.get("POTLUCK", "potluck"), "join", args.hub, "--name", args.name, "--json"]
    command += ["--dir", args.offers, "--downloads", args.downloads]
    # In a session of its own: a Ctrl-C reaches it once, through us, and not a second time, which would kill it.
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1,
                              start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: client.send_signal(number))
    Bot(client, args.offers).run()
    return client.wait()


if __name__ == "__main__":
    sys.exit(main())
