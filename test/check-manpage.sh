#!/bin/sh
# check-manpage.sh - sluice.ini(5), as the program prints it, is roff without a warning and names every setting.
# Ends in one line of counts, as every test here does.
set -eu
bin=${MANPAGE_BIN:-./sluice-manpage}
if [ ! -x "$bin" ] || ! command -v groff >/dev/null; then
	echo "needs $bin and groff"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
fi
srcdir=${srcdir:-.}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$bin" >"$dir/page"
groff -ww -man -Tascii -P-c -P-b -P-u -P-o "$dir/page" >"$dir/text" 2>"$dir/warnings"
if [ -s "$dir/warnings" ]; then
	cat "$dir/warnings"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
missing=0
for name in $(sed -n 's/^SETTING(\([a-z_]*\),.*/\1/p; s/^LATER(\([a-z0-9_]*\),.*/\1/p' \
	"$srcdir/src/config/settings.def" "$srcdir/src/config/later.def"); do
	grep -qw -- "$name" "$dir/text" || { echo "not in the manual: $name"; missing=1; }
done
echo "$((1 - missing)) passed, $missing failed, 0 skipped"
exit $missing
