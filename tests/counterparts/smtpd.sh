#!/bin/sh
# usage: smtpd.sh DIR - runs OpenSMTPD in the foreground with DIR/smtpd.conf.
# Its queue and control socket stand at fixed paths, so each instance gets a mount namespace of its own in which
# those are DIR/spool and DIR/run. Where namespaces are not permitted, instances wait for one another instead.
set -eu
dir=$1
if unshare --mount true 2>/dev/null; then
    mkdir -p /var/spool/smtpd
    exec unshare --mount --propagation private sh -c '
        mount --bind "$1/spool" /var/spool/smtpd
        mount --bind "$1/run" /run
        exec smtpd -d -f "$1/smtpd.conf"' smtpd "$dir"
fi
mkdir -p /var/spool/smtpd
chmod 711 /var/spool/smtpd
exec flock /var/spool/smtpd/instance.lock smtpd -d -f "$dir/smtpd.conf"
