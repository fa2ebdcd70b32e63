# enter.sh <hosts file> <folder of the ServiceAccount> <program> [<argument>…]
# Runs a program of a Pod, in a mount namespace of its own, with the names of Services and the
# ServiceAccount's token where programs in Pods look for them.
hosts=$1 account=$2
shift 2
mount --make-rprivate / &&
    mount --bind "$hosts" /etc/hosts &&
    mount -t tmpfs -o mode=755 tmpfs /run &&
    mkdir -p /run/secrets/kubernetes.io/serviceaccount &&
    cp "$account"/* /run/secrets/kubernetes.io/serviceaccount/ || exit 70
exec "$@"
