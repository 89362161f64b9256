#!/usr/bin/env bash
# Newer servers and their clients than this system's packages have, from Debian sid, so that they run here: README.md.
#
#   ./test/servers/get.sh postgresql DIR   PostgreSQL 18 into DIR, a new folder; prints the folder of its programs
#   ./test/servers/get.sh mysql DIR        MySQL 9, its programs and MySQL Router, likewise
#   ./test/servers/get.sh postgresql       only what has to be downloaded for that
#   ./test/servers/get.sh lend DIR FILE    has a program of this system use the libraries that are in DIR
#
# What is downloaded is kept in ${XDG_CACHE_HOME:-~/.cache}/sluice/sid. Ends with 77, and a line on standard error that
# says why, when it cannot be had. From the environment: SERVERS_MIRROR (default http://deb.debian.org/debian).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=contrib/packages.sh
. "$top/contrib/packages.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice
sid=$cache/sid
mirror=${SERVERS_MIRROR:-http://deb.debian.org/debian}

no() {
	echo "$*" >&2
	exit 77
}

# what: its name; packages; bin: the folder of its programs; trees: what is taken from the sid folder; programs: what is
# put in bin besides; private: a folder of libraries that are nobody else's.
programs=() private=
case ${1:-} in
lend)
	exec patchelf --set-interpreter "$2/lib/loader" --force-rpath --set-rpath "$2/lib" "$3"
	;;
postgresql)
	what="PostgreSQL 18" packages=(postgresql-18) bin=usr/lib/postgresql/18/bin server=postgres
	trees=(usr/lib/postgresql/18 usr/share/postgresql/18)
	;;
mysql)
	what="MySQL 9" packages=(mysql-server-core mysql-client-core mysql-client mysql-router) bin=usr/bin server=mysqld private=usr/lib/mysql-router
	trees=(usr/lib/mysql usr/lib/mysqlrouter usr/share/mysql)
	programs=(usr/sbin/mysqld usr/bin/mysql usr/bin/mysqladmin usr/bin/mysqlbinlog usr/bin/mysqldump usr/bin/mysqlslap usr/bin/mysqlrouter)
	;;
*)
	sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
is_there() {
	local f
	for f in "${trees[@]}" "${programs[@]}"; do [ -e "$sid/$f" ] || return 1; done
}
to=${2:-}

# Downloads into $sid. In a mount namespace of its own, where there may be one: what debootstrap and packages mount
# there is gone with it.
download() {
	install_packages debootstrap patchelf >&2 || return 1
	mkdir -p "$cache" || return 1
	local own=(sh -c 'shift; exec "$@"' sh) proxy=
	unshare -m true 2>/dev/null && own=(unshare -m sh -c 'mount -t proc proc "$1/proc" 2>/dev/null; shift; exec "$@"' sh)
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	[ -z "$proxy" ] || export http_proxy=$proxy
	if [ ! -e "$sid/usr/bin/apt-get" ]; then
		rm -rf --one-file-system "$sid.new" || return 1
		"${own[@]}" "$sid.new" debootstrap --variant=minbase sid "$sid.new" "$mirror" || return 1
		# No service is started there, and no database is made.
		printf '#!/bin/sh\nexit 101\n' >"$sid.new/usr/sbin/policy-rc.d" && chmod +x "$sid.new/usr/sbin/policy-rc.d"
		mkdir -p "$sid.new/etc/postgresql-common" && echo 'create_main_cluster = false' >"$sid.new/etc/postgresql-common/createcluster.conf"
		mv "$sid.new" "$sid" || return 1
	fi
	# A mirror may have stopped at some day; it is signed all the same.
	"${own[@]}" "$sid" chroot "$sid" sh -c 'export DEBIAN_FRONTEND=noninteractive LC_ALL=C
		apt-get update -qq -o Acquire::Check-Valid-Until=false && apt-get install -y -qq --no-install-recommends "$@"' sh "${packages[@]}"
}

if ! is_there; then
	[ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null || no "$what is taken from Debian sid, and this is no Debian."
	[ "$(id -u)" = 0 ] || no "$what is not in $sid, and only root can put it there."
	log=$(mktemp "${TMPDIR:-/tmp}/sluice-sid.XXXXXX") || exit 2
	# One at a time.
	mkdir -p "$cache" && (flock 9 && download) 9>"$cache/sid.lock" >"$log" 2>&1 </dev/null
	if ! is_there; then # what is there but could not be configured is good enough
		tail -n 15 "$log" >&2
		rm -f "$log"
		no "$what could not be installed in $sid from $mirror."
	fi
	rm -f "$log"
fi
[ -n "$to" ] || exit 0

# The folder is root's own, and its programs want their libraries: all that they need is copied to where anybody may
# read it, and told where that is.
install_packages patchelf >&2 || no "patchelf is missing."
mkdir -p "$to/lib" "$to/$bin" && to=$(cd "$to" && pwd) || exit 2
for tree in "${trees[@]}"; do
	mkdir -p "$to/$(dirname "$tree")" && cp -RL --no-preserve=ownership "$sid/$tree" "$to/$(dirname "$tree")/" || no "$what could not be copied to $to."
done
for program in "${programs[@]}"; do
	cp -L --no-preserve=ownership "$sid/$program" "$to/$bin/" || no "$what could not be copied to $to."
done
# Its own loader lists what they load.
libc=$(find "$sid/usr/lib" -maxdepth 2 -name libc.so.6 -print -quit)
loader=$(find "$sid/usr/lib" "$sid/usr/lib64" -maxdepth 2 -name 'ld-linux*.so.*' -print -quit)
[ -n "$libc" ] && [ -n "$loader" ] || no "$sid has no C library."
cp -L "$loader" "$to/lib/loader" || exit 2
find "${trees[@]/#/$sid/}" "${programs[@]/#/$sid/}" -type f \( -perm -100 -o -name '*.so*' \) -exec \
	"$loader" --library-path "${libc%/*}:$sid/$private" --list {} \; 2>/dev/null | awk '$2 == "=>" && $3 ~ "^/" && !seen[$1]++ { print $3 }' |
	xargs -d '\n' cp -L -t "$to/lib" || no "the libraries of $what could not be copied."
for program in "$to/$bin"/*; do
	patchelf --set-interpreter "$to/lib/loader" --force-rpath --set-rpath "$to/lib" "$program" 2>/dev/null # scripts have none
done
# A library that has a path of its own looks nowhere else.
find "$to/lib" "${trees[@]/#/$to/}" -name '*.so*' -type f | while read -r library; do
	[ -z "$(patchelf --print-rpath "$library" 2>/dev/null)" ] || patchelf --force-rpath --set-rpath "$to/lib" "$library"
done
chmod -R a+rX "$to"
"$to/$bin/$server" --version >/dev/null || no "$what does not run here."
echo "$to/$bin"
