# enter.sh <hosts file> <folder of the ServiceAccount> <file of mounts> <program> [<argument>…]
# Runs a program of a Pod, in a mount namespace of its own, with the names of Services, the ServiceAccount's
# token and volumes where programs in Pods look for them. Each line of the file of mounts is a folder and the
# path at which it is to be seen, with a tab between them.
hosts=$1 account=$2 mounts=$3
shift 3
tab=$(printf '\t')
mount --make-rprivate / &&
    mount --bind "$hosts" /etc/hosts &&
    mount -t tmpfs -o mode=755 tmpfs /run &&
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm &&
    mkdir -p /run/secrets/kubernetes.io/serviceaccount &&
    cp "$account"/* /run/secrets/kubernetes.io/serviceaccount/ || exit 70
# Folders are made in a layer above this machine's own, which stays as it is.
number=0
while IFS=$tab read -r from to; do
    number=$((number + 1))
    layer=/run/layers/$number top=/$(printf '%s' "${to#/}" | cut -d/ -f1)
    mkdir -p "$layer/upper" "$layer/work" &&
        mount -t overlay -o "lowerdir=$top,upperdir=$layer/upper,workdir=$layer/work" overlay "$top" &&
        mkdir -p "$to" &&
        mount --bind "$from" "$to" || exit 71
done <"$mounts"
exec "$@"
