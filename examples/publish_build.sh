#!/bin/sh
# Offers a file at a hub, waits until somebody has fetched all of it, and says who.
#
#     examples/publish_build.sh [-n NAME] [-t SECONDS] HUB FILE
#
# It shows how a script follows events with nothing but sh and potluck. HUB is a join link or HOST:PORT; NAME is
# `build` if left out. The exit code is 0 once the file was fetched, 1 if nobody did within SECONDS (an hour), and
# that of potluck if something else went wrong. $POTLUCK says where potluck is if it is not on the PATH.
set -eu

usage="usage: ${0##*/} [-n NAME] [-t SECONDS] HUB FILE"

wrong() {
    echo "${0##*/}: $1" >&2
    echo "$usage" >&2
    exit 2
}

help() {
    cat <<END
$usage

Offers FILE at HUB, a join link or HOST:PORT, and waits until somebody has fetched all of it.

  -n NAME     the name to go by (build)
  -t SECONDS  how long to wait (3600)
  -h, --help  say this
END
    exit 0
}

# Whether the event has this field. Inside of a JSON text every quote has a backslash before it, so that nothing
# that somebody says can pass for one.
has() {
    case $event in *"$1"*) return 0 ;; *) return 1 ;; esac
}

end_input() {
    kill "$input" 2>/dev/null || true # The time may have been up just now.
}

clean_up() {
    end_input
    rm -r "$work"
}

name=build seconds=3600
case ${1-} in
--help) help ;;
--?*) wrong "there is no option $1" ;;
esac
while getopts :hn:t: option; do
    case $option in
    h) help ;;
    n) name=$OPTARG ;;
    t) seconds=$OPTARG ;;
    :) wrong "-$OPTARG needs a value" ;;
    *) wrong "there is no option -$OPTARG" ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 2 ] || wrong "HUB and FILE are needed, and nothing else"
hub=$1 file=${2##*/} folder=$(dirname -- "$2")
potluck=${POTLUCK:-potluck}

work=$(mktemp -d)
mkfifo "$work/requests" "$work/events"

# potluck leaves when its input ends, and that is when `sleep` does: by itself or because we end it.
{
    printf '{"id":"offer","request":"offer","files":["%s"]}\n' "$(printf '%s' "$file" | sed 's/["\\]/\\&/g')"
    exec sleep "$seconds"
} >"$work/requests" &
input=$!
"$potluck" join "$hub" --name "$name" --dir "$folder" --json --fail-fast <"$work/requests" >"$work/events" &
client=$!
trap clean_up EXIT
trap 'kill "$client"' TERM
exec 3<"$work/events"

fetched_by= told=
while IFS= read -r event <&3; do
    if has '"event":"offer-acked"'; then
        echo "$file is offered at $hub"
    elif has '"event":"transfer-completed"' && has '"direction":"up"'; then
        fetched_by=$(printf '%s\n' "$event" | sed 's/.*"peer":"\([^"]*\)".*/\1/') # No name has a quote.
        end_input
    elif has '"event":"error"' && [ -z "$told" ]; then
        # Whoever is not let in may be told so before the request is read: then the error is not the offer's.
        told=yes
        printf '%s\n' "$event" | "$potluck" replay - >&2
    fi
done

wait "$client" || exit $?
if [ -z "$fetched_by" ]; then
    echo "nobody has fetched $file within $seconds s" >&2
    exit 1
fi
echo "$fetched_by has fetched $file"
