# Runs "$@" until it ends or until standard input does, whichever comes first.
# The parent holds the other end of standard input, so its death, by SIGKILL too, ends the command.
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
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
