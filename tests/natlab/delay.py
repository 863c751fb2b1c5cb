"""Passes frames between interfaces, each after so many seconds: delay.py SECONDS INTERFACE… It says when it has begun."""
import heapq, select, socket, sys, time
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, EVERY_PROTOCOL = 263, 15, 23, 3
delay, ports = float(sys.argv[1]), []
for name in sys.argv[2:]:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)  # frames that the kernel has gathered can be sent as they are
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.bind((name, EVERY_PROTOCOL)); port.setblocking(False); ports.append(port)
print("ready", flush=True)
waiting, count = [], 0
while True:
    pause = max(0, waiting[0][0] - time.monotonic()) if waiting else 1
    for port in select.select(ports, [], [], pause)[0]:
        try: frame = port.recv(70000)
        except BlockingIOError: continue
        for other in ports:
            if other is not port:
                count += 1
                heapq.heappush(waiting, (time.monotonic() + delay, count, other, frame))
    while waiting and waiting[0][0] <= time.monotonic():
        _, _, port, frame = heapq.heappop(waiting)
        try: port.send(frame)
        except OSError: pass
