#!/usr/bin/env bash
# check-install.sh - what `make install` and `make dist` bring is whole: the daemon, its pages, an example that --check
# takes as it is, a unit that systemd takes; and the dist's autoreconf has nothing to say. In the build's directory. Ends in
# one line of counts, as every test here does.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 skipped=0

# is WHAT COMMAND...: it succeeds, and prints nothing.
is() {
	local what=$1 said
	shift
	if said=$("$@" 2>&1) && [ -z "$said" ]; then
		passed=$((passed + 1))
	else
		echo "FAILED: $what: $said"
		failed=$((failed + 1))
	fi
}

is "make install" bash -c "make -s install DESTDIR='$dir' >'$dir/log' 2>&1 || cat '$dir/log'"
prefix=$dir$(sed -n 's/^prefix = //p' Makefile)
examples=$prefix/share/doc/sluice/examples
unit=$examples/sluice.service
for file in bin/sluice share/man/man1/sluice.1 share/man/man5/sluice.ini.5 share/man/man7/sluice-console.7 \
	share/doc/sluice/examples/{sluice.ini,userlist.txt,sluice.service}; do
	is "$file" test -s "$prefix/$file"
done
is "the example" bash -c "env -i '$prefix/bin/sluice' --check '$examples/sluice.ini' 2>&1 | grep -v ': configuration is valid\$'; true"
is "the unit's program" grep -q "^ExecStart=${prefix#"$dir"}/bin/sluice /etc/sluice/sluice.ini\$" "$unit"
if command -v systemd-analyze >/dev/null; then
	sed -i "s,=${prefix#"$dir"}/bin,=$prefix/bin," "$unit"
	is "the unit" systemd-analyze verify --man=no "$unit"
else
	echo "no systemd-analyze here: the unit is taken as it is"
	skipped=1
fi
is "make distdir" bash -c "make -s distdir distdir='$dir/dist' >'$dir/log' 2>&1 || cat '$dir/log'"
is "autoreconf" bash -c "cd '$dir/dist' && autoreconf -fi 2>&1 | grep -iE 'warning|error'; true"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
