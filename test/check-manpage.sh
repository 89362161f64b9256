#!/bin/sh
# check-manpage.sh - sluice.ini(5) and sluice-console(7), as the programs print them, are roff without a warning and name
# every setting and every command. Ends in one line of counts, as every test here does.
set -eu
bin=${MANPAGE_BIN:-./sluice-manpage} console=${CONSOLE_MANPAGE_BIN:-./sluice-console-manpage}
if [ ! -x "$bin" ] || [ ! -x "$console" ] || ! command -v groff >/dev/null; then
	echo "needs $bin, $console and groff"
	echo "0 passed, 0 failed, 2 skipped"
	exit 77
fi
srcdir=${srcdir:-.}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# page PROGRAM NAMES: a name to a line.
page() {
	"$1" >"$dir/page"
	groff -ww -man -Tascii -P-c -P-b -P-u -P-o "$dir/page" >"$dir/text" 2>"$dir/warnings"
	cat "$dir/warnings"
	bad=0
	[ ! -s "$dir/warnings" ] || bad=1
	while read -r name; do
		grep -qw -- "$name" "$dir/text" || { echo "not in the manual: $name"; bad=1; }
	done <"$2"
	passed=$((passed + 1 - bad)) failed=$((failed + bad))
}

sed -n 's/^SETTING(\([a-z_]*\),.*/\1/p; s/^LATER(\([a-z0-9_]*\),.*/\1/p; s/^MOOT(\([a-z0-9_]*\),.*/\1/p' \
	"$srcdir/src/config/settings.def" "$srcdir/src/config/later.def" >"$dir/settings"
sed -n 's/^SHOW("\([^"]*\)",.*/SHOW \1/p; s/^COMMAND("\([^"]*\)",.*/\1/p' "$srcdir/src/admin/commands.def" >"$dir/commands"
[ -s "$dir/settings" ] && [ -s "$dir/commands" ]
page "$bin" "$dir/settings"
page "$console" "$dir/commands"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
