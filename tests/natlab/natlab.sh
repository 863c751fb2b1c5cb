#!/usr/bin/env bash
# Two homes behind routers, and a hub on the open side: all of it in namespaces of its own, so that no packet can leave
# this machine, several of them can be there at once, and everything in one ends with it. Needs iproute2, nftables,
# util-linux, python3, and root or the right to make user namespaces.
#
#   natlab.sh [--a KIND] [--b KIND] [--delay SECONDS] [--same] -- COMMAND [ARG…]
#
# COMMAND runs outside the homes, on a host of its own: 11.0.0.9 and 2600::9 on the open side, which is there for attackers
# and other strangers. `nsenter --net=/run/netns/HOST …` runs something inside another: hub, a, a2 (both in home a), b, b2
# (home b). Within COMMAND the laboratory can be changed:
#
#   natlab.sh move HOST ADDRESS    the host has this inner address from now on, and its old one no longer
#   natlab.sh roam HOST HOME       the host leaves its home's network for another home's, where it is the fourth: 10.99.2.4
#   natlab.sh outer HOME ADDRESS   so has the router of a home (a or b) this outer one, and forgets who was connected
#   natlab.sh cut HOME [WHAT]      nothing passes a home's router any more, or nothing of WHAT; nobody is told. WHAT is a
#                                  condition of nftables: cut a meta nfproto ipv6
#   natlab.sh part                 nothing passes between the homes; the hub can be reached as before
#   natlab.sh mend                 everything passes again
#
# KIND of a home's router:
#   open        no translation and no filter: the hosts have public addresses
#   firewall    public addresses, but nothing comes in that did not go out first
#   cone        keeps a port's outer number, drops what it does not expect: hole punching works (the default)
#   shift       gives TCP and UDP other outer numbers than inside and than each other (ports 4000 to 4999)
#   reject      as cone, but answers what it does not expect with a reset: punching needs jittered retries
#   symmetric   another outer port for each target: only a relay helps
# Behind it, in this order:
#   /KIND       the carrier has a router of that kind above the home's: cone/symmetric
#   +noudp      UDP does not pass
#   +v6         the home has IPv6 as well, without translation; behind all but `open` a firewall keeps it
#
# Addresses of the open side look public, because clients dial no others on anybody's word; none of them is used outside.
# The hub is 11.0.0.1 and 2600::1, the homes' routers are 11.0.0.2 and 11.0.0.3. Hosts are 10.99.1.2 and .3 (a, a2), 10.99.2.2
# and .3 (b, b2), or 11.0.1.… and 11.0.2.… where they are public; with IPv6 2600:0:0:1::2 and so on. --same gives both homes
# 10.99.1.… . --delay holds each packet on the open side for so long.
set -euo pipefail
readonly LAB=/run/natlab # what `move`, `outer`, `cut` and `part` must know; the folder is the laboratory's own

die() { echo "natlab.sh: $*" >&2; exit 2; }
within() { local host=$1; shift; nsenter --net="/run/netns/$host" "$@"; }

# rules ROUTER KIND OUTER: what a router translates and lets pass. Replaces what it had, and forgets connections.
rules() {
  local router=$1 kind=${2%%+*} outer=$3 nat="" filter=drop udp="" unexpected=""
  case $kind in
    open) filter=accept;;
    firewall) ;;
    cone) nat="oifname out masquerade";;
    shift) nat="oifname out tcp sport 4000-4999 snat ip to $outer:5000-5999
      oifname out udp sport 4000-4999 snat ip to $outer:7000-7999
      oifname out masquerade";;
    reject) nat="oifname out masquerade"; unexpected="meta l4proto tcp reject with tcp reset";;
    symmetric) nat="oifname out masquerade fully-random";;
    *) die "no kind of router is called $kind";;
  esac
  case $2 in *+noudp*) udp="meta l4proto udp drop";; esac
  within "$router" nft -f - <<END
    table inet router
    delete table inet router
    table inet router {
      chain translate {
        type nat hook postrouting priority srcnat;
        meta nfproto ipv6 accept
        $nat
      }
      chain pass {
        type filter hook forward priority filter; policy $filter;
        $udp
        ct state established,related accept
        iifname in accept
        $unexpected
      }
      chain itself {
        type filter hook input priority filter; policy $filter;
        ct state established,related accept
        iifname in accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept
        $unexpected
      }
    }
END
}

# router ROUTER KIND OUTER GATEWAY INNER: a router with an interface `out`, and a bridge `in` to which hosts are added.
router() {
  local router=$1 kind=$2 outer=$3 gateway=$4 inner=$5
  ip -n "$router" -batch - <<END
    address add $outer/24 dev out
    link set out up
    route add default via $gateway
    link add in type bridge forward_delay 0 mcast_snooping 0
    link set in up
    address add $inner.1/24 dev in
END
  within "$router" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
  rules "$router" "$kind" "$outer"
}

# home NAME NUMBER KIND: the hosts NAME and NAME2, their router, and the carrier's router above it if there is one.
home() {
  local home=$1 number=$2 kinds=$3 net=10.99.$2 outer=11.0.0.$(($2 + 1)) host i=2
  local flags=${kinds#"${kinds%%+*}"} first=${kinds%%[/+]*} top=r$1 kind
  [ -z "$same" ] || net=10.99.1
  case $first in open | firewall) net=11.0.$number;; esac
  case ${kinds%%+*} in
    */*) # The carrier's network lies between the two routers.
      top=c$home kind=${kinds#*/}
      ip link add out netns "r$home" type veth peer name p1 netns "c$home"
      ip link add out netns "c$home" type veth peer name "to-$home" netns net
      router "c$home" "$kind" "$outer" 11.0.0.1 "100.64.$number"
      ip -n "c$home" link set p1 master in up
      router "r$home" "$first$flags" "100.64.$number.2" "100.64.$number.1" "$net";;
    *)
      kind=$kinds
      ip link add out netns "r$home" type veth peer name "to-$home" netns net
      router "r$home" "$kind" "$outer" 11.0.0.1 "$net";;
  esac
  for host in "$home" "${home}2"; do
    ip link add "p$i" netns "r$home" type veth peer name eth0 netns "$host"
    ip -n "r$home" link set "p$i" master in up
    ip -n "$host" -batch - <<END
      link set eth0 up
      address add $net.$i/24 dev eth0
      route add default via $net.1
END
    i=$((i + 1))
  done
  case $flags in *+v6*) home_v6 "$home" "$number";; esac
  echo "top=$top kind=$kind outer=$outer net=$net first=$first" > "$LAB/$home"
}

# home_v6 NAME NUMBER: IPv6 for a home whose router is the only one above it. Nobody waits until an address is known to be
# used by nobody else.
home_v6() {
  local home=$1 number=$2 host i=2
  ip -n "r$home" -6 -batch - <<END
    address add 2600::$((number + 1))/64 dev out nodad
    address add 2600:0:0:$number::1/64 dev in nodad
    route add default via 2600::1
END
  for host in "$home" "${home}2"; do
    ip -n "$host" -6 -batch - <<END
      address add 2600:0:0:$number::$i/64 dev eth0 nodad
      route add default via 2600:0:0:$number::1
END
    i=$((i + 1))
  done
  ip -n hub -6 route add "2600:0:0:$number::/64" via "2600::$((number + 1))"
  ip -6 route add "2600:0:0:$number::/64" via "2600::$((number + 1))"
}

# The ways between the homes, where hosts have public addresses: not over the hub.
join_homes() {
  local home other net outer kind top first n number=1
  for home in a b; do
    [ $home = a ] && other=b || other=a
    . "$LAB/$other"; local neighbour=$top
    . "$LAB/$home"
    case $first in
      open | firewall)
        ip route replace "$net.0/24" via "$outer"
        for n in hub "$neighbour"; do ip -n $n route replace "$net.0/24" via "$outer"; done;;
    esac
    ip -n "$neighbour" -6 route replace "2600:0:0:$number::/64" via "2600::$((number + 1))" 2>/dev/null || true # with +v6
    number=$((number + 1))
  done
}

set_up() {
  local kind_a=cone kind_b=cone delay="" same="" n undoubted="echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"
  while [ $# -gt 0 ]; do
    case $1 in
      --a) kind_a=$2; shift 2;;
      --b) kind_b=$2; shift 2;;
      --delay) delay=$2; shift 2;;
      --same) same=1; shift;;
      --) shift; break;;
      *) die "$1?";;
    esac
  done
  mount -t tmpfs tmpfs /run; mkdir -p /run/netns "$LAB"
  local hosts=(net hub ra rb a b a2 b2)
  case $kind_a in */*) hosts+=(ca);; esac
  case $kind_b in */*) hosts+=(cb);; esac
  for n in "${hosts[@]}"; do echo "netns add $n"; done | ip -batch -
  for n in "${hosts[@]}"; do
    ip -n "$n" link set lo up
    case $kind_a$kind_b in *+v6*) within "$n" sh -c "$undoubted";; esac
  done
  ip link add eth0 netns hub type veth peer name to-hub netns net
  ip link add eth0 type veth peer name to-test netns net
  ip -batch - <<END
    link set lo up
    address add 11.0.0.9/24 dev eth0
    address add 2600::9/64 dev eth0 nodad
    link set eth0 up
END
  ip -n hub -batch - <<END
    address add 11.0.0.1/24 dev eth0
    address add 2600::1/64 dev eth0 nodad
    link set eth0 up
END
  home a 1 "$kind_a"
  home b 2 "$kind_b"
  join_homes
  # The open side: a bridge, or a program that holds each packet for a while (netem is not in every kernel).
  for n in to-hub to-test to-a to-b; do echo "link set $n up"; done | ip -n net -batch -
  if [ -n "$delay" ]; then
    exec 3< <(within net python3 "$(dirname "$0")/delay.py" "$delay" to-hub to-test to-a to-b)
    read -r -u 3 || die "delay.py does not run"
    exec 3<&-
  else
    { echo "link add open type bridge forward_delay 0 mcast_snooping 0"; echo "link set open up"
      for n in to-hub to-test to-a to-b; do echo "link set $n master open"; done; } | ip -n net -batch -
  fi
  export TMPDIR=/run # what is left there ends with the laboratory
  exec "$@"
}

# readdress NAMESPACE INTERFACE NEW: it always has an address, or its routes would go with the last one.
readdress() {
  local old
  old=$(ip -n "$1" -4 -o address show dev "$2" | awk '{print $4}')
  ip -n "$1" -batch - <<END
    address add $3/32 dev $2
    address del $old dev $2
    address add $3/24 dev $2
    address del $3/32 dev $2
END
}

# What a laboratory has written down about a home, and how to change it.
move() {
  local host=$1 new=$2 top kind outer net first
  . "$LAB/${host%2}"
  readdress "$host" eth0 "$new"
}

roam() {
  local host=$1 home=$2 top kind outer net first
  . "$LAB/$home"
  ip -n "$host" link del eth0
  ip link add p4 netns "r$home" type veth peer name eth0 netns "$host"
  ip -n "r$home" link set p4 master in up
  ip -n "$host" -batch - <<END
    link set eth0 up
    address add $net.4/24 dev eth0
    route add default via $net.1
END
}

outer() {
  local home=$1 new=$2 top kind outer net first
  . "$LAB/$home"
  readdress "$top" out "$new"
  rules "$top" "$kind" "$new"
  echo "top=$top kind=$kind outer=$new net=$net first=$first" > "$LAB/$home"
  join_homes
}

# drop HOME CONDITION…: its router drops what passes it and fulfils one of these.
drop() {
  local home=$1 top kind outer net first condition
  . "$LAB/$home"; shift
  { echo "table inet cut { chain pass { type filter hook forward priority -200;"
    for condition in "$@"; do echo "$condition drop;"; done
    printf "}\n}\n"; } | within "$top" nft -f -
}

part() {
  local top kind outer net first
  . "$LAB/b"
  local away="{ $outer, $net.0/24 }" away_v6="2600:0:0:2::/64"
  drop a "ip daddr $away" "ip saddr $away" "ip6 daddr $away_v6" "ip6 saddr $away_v6"
}

mend() {
  local home top kind outer net first
  for home in a b; do . "$LAB/$home"; within "$top" nft "table inet cut; delete table inet cut"; done
}

case ${1:-} in
  move | roam | outer | part | mend) "$@"; exit;;
  cut) drop "$2" "${*:3}"; exit;;
esac
if [ "${NATLAB_INSIDE:-}" != 1 ]; then
  for n in ip nft nsenter python3; do command -v $n >/dev/null || die "$n is not installed"; done
  as=""
  [ "$EUID" = 0 ] || as=--map-root-user
  # What this is for ends: so does everything in it.
  NATLAB_INSIDE=1 exec setpriv --pdeathsig KILL unshare $as -mnpf --mount-proc --kill-child "$BASH" "$0" "$@"
fi
unset NATLAB_INSIDE
set_up "$@"
