# guardian.sh <pid file> <command> [<argument>…]
# Runs the command until it ends or until standard input does, whichever comes first. The parent
# holds the other end of standard input, so its death, by SIGKILL too, ends the command. The id of
# the command's process goes into the pid file, unless that is the empty string.
pid_file=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
[ -z "$pid_file" ] || { echo "$child" >"$pid_file.new" && mv "$pid_file.new" "$pid_file"; }
(
    while read -r line <&3; do :; done
    kill -KILL "$child"
) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
status=$?
# 137: killed by the watcher. What the command itself has started goes with it.
[ "$status" -ne 137 ] || kill -KILL 0
kill -KILL "$watcher"
exit "$status"
