# contrib/packages.sh - what is installed from Debian's packages, and how. Sourced by quickstart.sh and test/run.sh.
# shellcheck shell=bash

BUILD_PACKAGES=(gcc libc6-dev make autoconf automake pkg-config libev-dev libssl-dev libinih-dev libc-ares-dev libidn-dev libsodium-dev zlib1g-dev libzstd-dev libpam0g-dev libldap-dev)
SERVER_PACKAGES=(postgresql postgresql-client mariadb-server mariadb-client)
TEST_PACKAGES=(libcunit1-dev libpq-dev libmariadb-dev clang libclang-rt-14-dev groff procps openssl python3 pgbouncer slapd ldap-utils libpam-pwdfile)

# Of the drivers, what is not there as a command; a node of another origin brings its own npm.
DRIVER_PACKAGES=(python3-psycopg python3-psycopg2 libpostgresql-jdbc-java
	python3-pymysql python3-mysqldb libdbd-mysql-perl libmariadb-java sysbench)
command -v javac >/dev/null || DRIVER_PACKAGES+=(default-jdk-headless)
command -v npm >/dev/null || DRIVER_PACKAGES+=(nodejs npm)

# install_packages NAME...: those that are missing, by apt, as root or by sudo. Says what to do where it cannot.
install_packages() {
	local missing=() p as=()
	for p; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "Not a Debian system. Install what answers to these packages: ${missing[*]}" >&2
		return 0
	fi
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "Missing packages, and neither root nor sudo to install them: ${missing[*]}" >&2
			return 1
		fi
		as=(sudo)
	fi
	echo "Installing: ${missing[*]}"
	# The distribution's cluster would be started: a private one is used instead. -u: no service starts.
	if ! { "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
		"${as[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
		>"${TMPDIR:-/tmp}/sluice-apt.$$.log" 2>&1 </dev/null; then
		tail -20 "${TMPDIR:-/tmp}/sluice-apt.$$.log" >&2
		echo "The packages could not be installed." >&2
		return 1
	fi
	rm -f "${TMPDIR:-/tmp}/sluice-apt.$$.log"
}

# build_sluice SOURCE BUILD [CONFIGURE-OPTION]...: out of tree, incremental.
build_sluice() {
	local src=$1 dir=$2
	shift 2
	mkdir -p "$dir"
	if ! { [ -x "$src/configure" ] && [ "$src/configure" -nt "$src/configure.ac" ] && [ "$src/Makefile.in" -nt "$src/Makefile.am" ]; }; then
		(cd "$src" && autoreconf -i) >"$dir/build.log" 2>&1 || { cat "$dir/build.log" >&2; return 1; }
	fi
	if ! [ -e "$dir/config.status" ] || [ "$src/configure" -nt "$dir/config.status" ]; then
		(cd "$dir" && "$src/configure" "$@") >>"$dir/build.log" 2>&1 || { tail -30 "$dir/build.log" >&2; return 1; }
	fi
	make -C "$dir" -j2 >>"$dir/build.log" 2>&1 || { tail -60 "$dir/build.log" >&2; return 1; }
}
