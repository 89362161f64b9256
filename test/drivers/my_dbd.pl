#!/usr/bin/perl
# my_dbd.pl - DBD::mysql, with placeholders filled in by the driver and by the server.
use strict;
use warnings;
use DBI;

my $mode = shift;
my $is_console = $mode eq 'console';

sub connected {
	my ($more, %how) = @_;
	my $dsn = "DBI:mysql:host=$ENV{MYSQL_HOST};port=$ENV{MYSQL_TCP_PORT};database=$ENV{MYSQL_DATABASE}" . ($more // '');
	return DBI->connect($dsn, $ENV{MYSQL_USER}, $ENV{MYSQL_PASSWORD}, { RaiseError => 1, PrintError => 0, AutoCommit => 1, %how });
}

sub same {
	my ($got, $want) = @_;
	$got //= 'undef';
	die "got $got, want $want\n" if $got ne $want;
}

sub one { my ($c, @q) = @_; my ($v) = $c->selectrow_array(shift @q, undef, @q); return $v }

my @cases = (
	[1, show => sub {
		my $c = connected();
		same(one($c, 'SHOW VERSION') =~ /^Sluice/ ? 'yes' : 'no', 'yes');
		same(eval { one($c, 'SHOW NONSENSE'); 1 } // 'failed', 'failed');
		same(one($c, 'SHOW STATE'), 'active');
		$c->disconnect;
	}],
	[0, placeholders => sub {
		for my $more ('', ';mysql_server_prepare=1') {
			my @c = map { connected($more) } 1 .. 8;
			my @s = map { $c[$_]->prepare("select ? + $_, ?") } 0 .. 7;
			for my $n (0 .. 63) {
				my $s = $s[$n % 8];
				$s->execute($n, "t$n");
				my @row = $s->fetchrow_array;
				same("@row", ($n + $n % 8) . " t$n");
				$s->finish;
			}
			$_->finish for @s;
			$_->disconnect for @c;
		}
	}],
	[0, transactions => sub {
		my ($c, $d) = (connected('', AutoCommit => 0), connected());
		$d->do('create table if not exists dbd_tx (id int auto_increment primary key, n int) engine=innodb');
		$d->do('delete from dbd_tx');
		$c->do('insert into dbd_tx (n) values (1)');
		same($c->{mysql_insertid}, one($c, 'select last_insert_id()'));
		same(one($d, 'select count(*) from dbd_tx'), 0);
		$c->rollback;
		$c->do('insert into dbd_tx (n) values (2)');
		$c->commit;
		same(one($d, 'select group_concat(n) from dbd_tx'), 2);
		$_->disconnect for $c, $d;
	}],
	[0, errors => sub {
		my $c = connected();
		for (1 .. 3) {
			eval { $c->do('select * from nowhere') };
			same($c->err . ' ' . $c->state, '1146 42S02');
			same(one($c, 'select 1'), 1);
		}
		local $ENV{MYSQL_PASSWORD} = 'wrong';
		eval { connected() };
		same($DBI::err, 1045);
		$c->disconnect;
	}],
	[0, several_results => sub {
		my $c = connected(';mysql_multi_statements=1');
		my $s = $c->prepare('select 1; select 2, 3');
		$s->execute;
		same(join(' ', $s->fetchrow_array), '1');
		same($s->more_results ? 'more' : 'none', 'more');
		same(join(' ', $s->fetchrow_array), '2 3');
		$s->finish;
		$c->disconnect;
	}],
	[0, many_rows => sub {
		my $c = connected();
		my $s = $c->prepare("with recursive s(n) as (select 1 union all select n + 1 from s where n < 900) " .
			"select a.n from s a join s b on b.n < 20", { mysql_use_result => 1 });
		$s->execute;
		my $n = 0;
		$n++ while $s->fetchrow_arrayref;
		same($n, 900 * 19);
		$c->disconnect;
	}],
	[0, ping_and_number => sub {
		my $c = connected();
		for (1 .. 3) {
			same($c->ping ? 1 : 0, 1);
			same(one($c, 'select connection_id()'), $c->{mysql_thread_id});
		}
		$c->disconnect;
	}],
	[0, clients_over_few_servers => sub {
		my @c = map { connected() } 1 .. 10;
		for my $n (0 .. 59) {
			same(one($c[$n % 10], 'select ?', $n), $n);
		}
		$_->disconnect for @c;
	}],
);

$| = 1;
for my $case (@cases) {
	my ($console, $name, $run) = @$case;
	next if $console != ($is_console ? 1 : 0);
	if (eval { $run->(); 1 }) {
		print "ok $name\n";
	} else {
		my $why = $@;
		$why =~ s/\s+/ /g;
		print "not ok $name: $why\n";
	}
}
