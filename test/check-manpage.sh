#!/bin/sh
# check-manpage.sh - sluice.ini(5), as the program prints it, is roff without a warning and names every setting.
set -eu
bin=${MANPAGE_BIN:-./sluice-manpage}
if [ ! -x "$bin" ] || ! command -v groff >/dev/null; then
	echo "skipped: needs $bin and groff"
	exit 77
fi
srcdir=${srcdir:-.}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$bin" >"$dir/page"
groff -ww -man -Tutf8 -P-c "$dir/page" >"$dir/text" 2>"$dir/warnings"
if [ -s "$dir/warnings" ]; then
	cat "$dir/warnings"
	exit 1
fi
missing=0
for name in $(sed -n 's/^SETTING(\([a-z_]*\),.*/\1/p; s/^LATER(\([a-z0-9_]*\),.*/\1/p' \
	"$srcdir/src/config/settings.def" "$srcdir/src/config/later.def"); do
	grep -qw -- "$name" "$dir/text" || { echo "not in the manual: $name"; missing=1; }
done
exit $missing
