#!/bin/sh
# check-pgbouncer.sh - what Sluice makes of each setting that PgBouncer has: test/pgbouncer.list, the tables of settings,
# doc/pgbouncer.md and the program itself say the same; and the list is that of PgBouncer's own manual, where there is
# one of that version. Ends in one line of counts, as every test here does.
set -eu
srcdir=${srcdir:-.}
bin=${SLUICE_BIN:-./src/sluice}
list=$srcdir/test/pgbouncer.list doc=$srcdir/doc/pgbouncer.md
tables="$srcdir/src/config/settings.def $srcdir/src/config/later.def"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 skipped=0

# same WHAT WANT GOT: two files.
same() {
	if [ -s "$2" ] && diff "$2" "$3" >"$dir/differ"; then
		passed=$((passed + 1))
	else
		echo "$1:"
		grep '^[<>]' "$dir/differ" || :
		failed=$((failed + 1))
	fi
}

grep -v '^#' "$list" | sort >"$dir/list"
cut -d' ' -f1,2 "$dir/list" | sort >"$dir/names"

# The manual: sections, and the settings in them.
manual=
for page in "${XDG_CACHE_HOME:-$HOME/.cache}/sluice/sid/usr/share/man/man5/pgbouncer.5.gz" /usr/share/man/man5/pgbouncer.5.gz; do
	[ -n "$manual" ] || ! zcat "$page" 2>/dev/null | grep -q '^\.TH.*"1\.26' || manual=$page
done
if [ -n "$manual" ]; then
	zcat "$manual" | awk 'BEGIN { s = "pgbouncer" }
		/^\.SH SECTION \[/ { s = tolower($0); gsub(/.*\[|\].*/, "", s); next }
		/^\.SH/ && s != "pgbouncer" { s = "" }
		/^\.SS [a-z0-9_]+$/ && s != "" { print s, $2 }' | sort >"$dir/manual"
	same "PgBouncer's manual (<) and pgbouncer.list (>) differ" "$dir/manual" "$dir/names"
else
	echo "no manual of PgBouncer 1.26 here to compare pgbouncer.list with"
	skipped=$((skipped + 1))
fi

# The document has a row for each, and no others.
awk '/^### \[/ { s = $2; gsub(/[][]/, "", s); next } /^#/ { s = "" }
	s != "" && /^\| `/ { gsub(/`/, ""); state = $4; if (state == "No" || state == "Not") state = state " " $5; print s, $2, state }' \
	"$doc" | sort >"$dir/doc"
cut -d' ' -f1,2 "$dir/doc" | sort >"$dir/doc-names"
same "pgbouncer.list (<) and doc/pgbouncer.md (>) differ" "$dir/names" "$dir/doc-names"

# States: what is not served, and what has no effect, in the document and in the tables. suspend_timeout is of an older
# PgBouncer; pkt_buf is kept as a number, for SHOW CONFIG.
# shellcheck disable=SC2086
{
	sed -n 's/^LATER(\([a-z0-9_]*\),.*/\1 Not yet/p; s/^MOOT(\([a-z0-9_]*\),.*/\1 No effect/p' $tables
	echo "pkt_buf No effect"
} | grep -v suspend_timeout | while read -r key state; do
	! grep -q "^[a-z]* $key\( \|$\)" "$dir/names" || echo "$key $state"
done | sort -u >"$dir/odd"
sed -n 's/^[a-z]* \(.* No.*\)/\1/p' "$dir/doc" | sort -u >"$dir/doc-odd"
same "the tables (<) and doc/pgbouncer.md (>) differ in what is not served, or has no effect" "$dir/odd" "$dir/doc-odd"

# Defaults; those that differ are told in the document.
# shellcheck disable=SC2086
sed -n 's/^SETTING(\([a-z0-9_]*\), [a-z]*, "\([^"]*\)",.*/\1 \2/p; s/^LATER(\([a-z0-9_]*\), *"\([^"]*\)",.*/\1 \2/p; s/^MOOT(\([a-z0-9_]*\), *"\([^"]*\)",.*/\1 \2/p
	s/^SETTING(auth_query, [a-z]*, AUTH_QUERY.*/auth_query AUTH_QUERY/p' $tables | sed 's/ *$//' | sort >"$dir/ours"
sed -n 's/^pgbouncer //p' "$dir/list" | sed 's/^auth_query .*/auth_query AUTH_QUERY/' | sort >"$dir/theirs"
comm -23 "$dir/theirs" "$dir/ours" | cut -d' ' -f1 >"$dir/other-default"
sed -n '/^### \[pgbouncer\]/,/^### /s/^| `\([a-z0-9_]*\)`.*| its default is .*/\1/p' "$doc" | sort >"$dir/told-default"
same "defaults that differ (<) and those that doc/pgbouncer.md tells of (>)" "$dir/other-default" "$dir/told-default"

# Settings that PgBouncer does not have are named as such. load_balance_hosts is a database's there.
# shellcheck disable=SC2086
sed -n 's/^SETTING(\([a-z0-9_]*\),.*/\1/p' $tables | sort >"$dir/settings"
cut -d' ' -f2 "$dir/names" | sort -u | comm -23 "$dir/settings" - >"$dir/own"
sed -n '/^## Sluice/,$p' "$doc" | grep -o '`[a-z0-9_]*`' | tr -d '`' | sort -u >"$dir/told-own"
same "settings that PgBouncer has not (<) and those that doc/pgbouncer.md calls Sluice's own (>)" "$dir/own" "$dir/told-own"

# The program knows them all. NULLs are left out of the file.
line() {
	sed -n "s/^$1 //p" "$dir/list" | awk 'NF > 1 { k = $1; $1 = ""; sub(/^ /, ""); printf " %s=%s", k, $0 } END { print "" }'
}
{
	echo "[databases]"
	echo "shop =$(line databases)"
	echo "other = host=127.0.0.1"
	echo "[users]"
	echo "anna =$(line users)"
	echo "[peers]"
	echo "1 =$(line peers)"
	echo "[pgbouncer]"
	sed -n 's/^pgbouncer //p' "$dir/list" | awk '{ k = $1; $1 = ""; print k " =" $0 }' |
		grep -v -e '^auth_file ' -e '^peer_id '
	echo "peer_id = 2"
	echo "auth_file = $dir/users"
} >"$dir/all.ini"
echo '"anna" "a"' >"$dir/users"
if [ -x "$bin" ]; then
	status=0
	env -u SLUICE_BIN "$bin" --check "$dir/all.ini" >"$dir/said" 2>&1 || status=$?
	grep -v 'configuration is valid' "$dir/said" | grep -v "the pool size is 20, but\|min_pool_size" >"$dir/complaints" || :
	if [ "$status" = 0 ] && [ ! -s "$dir/complaints" ]; then
		passed=$((passed + 1))
	else
		echo "--check of a file with all settings (status $status):"
		cat "$dir/said"
		failed=$((failed + 1))
	fi
else
	echo "no program $bin to ask"
	skipped=$((skipped + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
