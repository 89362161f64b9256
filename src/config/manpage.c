/* manpage.c - prints sluice.ini(5), in roff: the file format in words, the settings from their table. */
#include "config/settings.h"

#include <stdio.h>

static const char head[] =
	".TH SLUICE.INI 5 \"\" \"Sluice\" \"File formats\"\n"
	".nh\n"   /* names are for pasting: no hyphens in them, */
	".ad l\n" /* and no stretched lines without those */
	".SH NAME\n"
	"sluice.ini \\- configuration of sluice(1)\n"
	".SH DESCRIPTION\n"
	"The file says which databases there are, who may use them, and how. A file written for PgBouncer is understood: "
	"names, units and defaults are the same, and the section\n"
	".B [pgbouncer]\n"
	"means\n"
	".BR [sluice] .\n"
	".PP\n"
	"A line is a section in brackets, a key and its value with = between them, a directive, or a comment, which begins "
	"with ; or #. Neither of the two is special further on in a line, a line is not continued on the next, and blanks "
	"around keys and values do not count. Case does not matter in the names of sections and settings. A line holds up to "
	"65,536 bytes; a longer one is an error.\n"
	".PP\n"
	".B sluice \\-\\-check\n"
	".I FILE\n"
	"reads the file, the files it includes and the auth_file, and tells all that is wrong with file and line. It is "
	"stricter than a start or a reload: unknown names and settings that contradict each other are errors, where a running "
	"Sluice warns and goes on. A reload with an error changes nothing.\n"
	".SS Include\n"
	".PP\n"
	".BI %include \" FILE\"\n"
	".PP\n"
	"reads another file at this place; the section that it ends with holds on. A relative name is looked for in the "
	"working directory, then beside the file that includes it. The same goes for auth_file, auth_hba_file and "
	"auth_ident_file.\n"
	".SS Environment\n"
	"A variable named SLUICE_ and a setting's name in upper case, such as SLUICE_LISTEN_PORT, overrides the setting's "
	"value in the file.\n"
	".SS Units\n"
	"A time is a number of seconds, or of milliseconds where it says so; it may have a fraction, and a unit behind it: "
	"us, ms, s, min, h, d. A size is a number of bytes, or of kB, MB, GB. Yes and no are 1 and 0, on and off, yes and no, "
	"or true and false.\n"
	".SH SECTION [SLUICE]\n";

static const char databases[] =
	".SH SECTION [DATABASES]\n"
	".PP\n"
	".IB name \" = key\" = \"value key\" = value\\~...\n"
	".PP\n"
	"Clients ask for\n"
	".IR name ;\n"
	"the pairs say where it is. A name that holds blanks or quotes, = or : stands in double or single quotes, with two for one inside. "
	"The name * is the fallback for all names that have no entry. The names sluice and pgbouncer are the console's. A "
	"value that holds blanks stands in single quotes, with two for one inside; this goes for passwords too. An entry "
	"without any pairs is a database of the same name behind the unix socket.\n"
	".PP\n"
	"Clients that ask for replication name a database, too. Programs for physical replication that were given none ask "
	"for one called replication, which needs an entry as any other.\n"
	".TP\n.B host\n"
	"Names or addresses, or directories of unix sockets, which begin with / or @, separated by commas. Default: the "
	"directory unix_socket_dir; for kind=mysql, where a path is the socket itself, /run/mysqld/mysqld.sock.\n"
	".TP\n.B port\n"
	"Default: 5432; 3306 for kind=mysql.\n"
	".TP\n.B dbname\n"
	"The name of the database there. Default: the name that the client asked for.\n"
	".TP\n.B user\n"
	"The user that all servers are logged in as. Default: the client's own, so that each user has a pool.\n"
	".TP\n.B password\n"
	"The password of that user. Default: from auth_file; auth_query is not asked for it.\n"
	".TP\n.B connect_query\n"
	"Run on each new server connection before a client gets it, except for replication.\n"
	".TP\n.BR client_encoding \", \" datestyle \", \" timezone \", \" application_name\n"
	"Given to servers as they are logged in to.\n"
	".TP\n.B kind\n"
	"What speaks there: postgres, the default, or mysql, which MariaDB is too. Clients of the one kind cannot use databases "
	"of the other. oracle is a word for later versions, and an error in this one.\n"
	".PP\n"
	"These settings may stand here too, for one database; the value \\-1 is the same as none:\n";

static const char users[] = ".SH SECTION [USERS]\n"
			    ".PP\n"
			    ".IB name \" = key\" = \"value key\" = value\\~...\n"
			    ".PP\n"
			    "Settings for one user, in the same form, which go before those of a database:\n";

static const char peers[] =
	".SH SECTION [PEERS]\n"
	".PP\n"
	".IB peer_id \" = host=\" host \" port=\" port\n"
	".PP\n"
	"A client that cancels a statement does so on a new connection, which may come to another process where several listen "
	"on one address. Each of them has its own peer_id, and here the places of all: a request for a client of another one is "
	"forwarded there, up to three times. PgBouncer processes, 1.21 or newer, may be among them. The entry of the process "
	"itself may stand here, so that all can have the same section.\n"
	".TP\n.B host\n"
	"A name, an address, or the directory of a unix socket, which begins with / or @, and which is the way to reach one of "
	"several processes behind one port. Default: the directory unix_socket_dir. To a name or an address requests travel as "
	"server_tls_sslmode says.\n"
	".TP\n.B port\n"
	"Default: 6432.\n"
	".TP\n.B pool_size\n"
	"How many requests are on their way at once; more wait, for cancel_wait_timeout at most. 0 is no limit. Default: "
	"default_pool_size.\n";

static const char auth_file[] =
	".SH AUTHENTICATION FILE\n"
	"The file that auth_file names has a line for each user:\n"
	".PP\n"
	".nf\n"
	"\"anna\" \"a password\"\n"
	"\"bert\" \"md5d578aec9eeb6d0d1fb22a2cc7a4b2d12\"\n"
	"\"cleo\" \"SCRAM\\-SHA\\-256$4096:<salt>$<stored key>:<server key>\"\n"
	".fi\n"
	".PP\n"
	"The second field is a password, or md5 and the MD5 of password and name, or a SCRAM\\-SHA\\-256 verifier as "
	"PostgreSQL keeps it. Double quotes inside are written twice; what follows on the line is ignored, as are empty lines "
	"and lines that begin with ; or #. A name has up to 255 bytes, a secret up to 65,535.\n"
	".PP\n"
	"A secret serves both ways: clients prove that they know it, and servers are logged in to with it. A verifier does so "
	"as soon as its client has logged in, when the server has the very same verifier.\n"
	".PP\n"
	"A user who stands there twice has two passwords, both of which are valid, so that one can take the place of the other "
	"while clients go on. Of more lines than two the last two count.\n";

static const char hba_file[] =
	".SH HBA FILE\n"
	"With auth_type = hba the file that auth_hba_file names decides for each client, in the form of PostgreSQL's "
	"pg_hba.conf. The first line that fits counts; a client that none fits is refused.\n"
	".PP\n"
	".nf\n"
	"# connection  database  user        address        method\n"
	"local         all       anna        peer map=people\n"
	"hostssl       all       all         10.0.0.0/8     scram\\-sha\\-256\n"
	"host          shop,\"my db\" @shop.users 10.0.0.7 255.255.255.255 md5\n"
	"host          all       all         all            reject\n"
	".fi\n"
	".PP\n"
	"The connection is local (a unix socket), host (TCP), hostssl or hostnossl (TCP with and without TLS). A database is "
	"a name, all, sameuser or replication; a user is a name or all; either may be a list, with commas, a regular "
	"expression behind a slash, or @ and a file of such names, looked for beside this one. In double quotes a word is "
	"only a name. An address has /bits or a mask behind it, or is all, samehost or samenet. The method is trust, reject, "
	"password (or plain), md5, scram\\-sha\\-256, peer (local only), cert (hostssl only), pam (with pamservice=) or ldap, with "
	"the options that auth_ldap_options has. "
	"clientcert=verify\\-ca or verify\\-full behind a method of hostssl asks for a certificate besides. include and "
	"include_if_exists take in another file.\n"
	".PP\n"
	"What Sluice cannot know is an error, so that no line is silently left out: roles (+name, samerole), names of hosts, "
	"and PostgreSQL's other methods.\n"
	".SS User name maps\n"
	"For peer and cert, map=NAME lets system users, or names in certificates, be other database users. The lines of "
	"auth_ident_file say which: map, system user, database user.\n"
	".PP\n"
	".nf\n"
	"people  root              all\n"
	"people  /^(.*)@example.org$ \\e1\n"
	".fi\n"
	".PP\n"
	"A system user behind a slash is a regular expression (POSIX, extended), and \\e1 what its first parentheses "
	"caught. The database user may be all, or an expression of its own.\n";

static const char later[] =
	".SH NOT SERVED YET\n"
	"These names are PgBouncer's, and this version does not do what they ask for. A file may hold them: at a start or a "
	"reload each is a warning, unless its value asks for nothing. For\n"
	".B \\-\\-check\n"
	"a value other than PgBouncer's default is an error.\n"
	".PP\n";

static const char moot[] =
	".SH WITHOUT EFFECT\n"
	"These names are PgBouncer's too, and have no meaning here. They are accepted, with a line in the "
	"log when they are set to something else than PgBouncer's default.\n";

static const char tail[] = ".SH EXAMPLE\n"
			   ".nf\n"
			   "[databases]\n"
			   "shop = host=10.0.0.7 dbname=shop pool_size=30\n"
			   "* = host=/var/run/postgresql\n"
			   "\n"
			   "[sluice]\n"
			   "listen_addr = *\n"
			   "auth_file = /etc/sluice/userlist.txt\n"
			   "pool_mode = transaction\n"
			   "admin_users = anna\n"
			   ".fi\n"
			   ".SH SEE ALSO\n"
			   ".BR sluice (1),\n"
			   ".BR sluice-console (7)\n";

/* The names of a scope's settings; pool_size goes by another name there. */
static void print_overrides(unsigned scope)
{
	const char *sep = "";
	for (int i = 0; i < SET_COUNT; i++) {
		if (!(settings_table[i].scope & scope))
			continue;
		fputs(sep, stdout);
		settings_man_text(stdout, i == SET_default_pool_size ? "pool_size" : settings_table[i].name);
		sep = ",\n";
	}
	fputs(".\n", stdout);
}

static void print_later(void)
{
	const char *sep = "";
	for (const struct later *l = settings_later; l->name; l++) {
		if (l->why)
			continue;
		fputs(sep, stdout);
		settings_man_text(stdout, l->name);
		sep = ",\n";
	}
	fputs(".\n", stdout);
}

static void print_moot(void)
{
	for (const struct later *l = settings_later; l->name; l++) {
		if (!l->why)
			continue;
		fputs(".TP\n.B ", stdout);
		settings_man_text(stdout, l->name);
		fputs("\n", stdout);
		settings_man_text(stdout, l->why);
		fputs(".\n", stdout);
	}
}

int main(void)
{
	fputs(head, stdout);
	settings_man(stdout);
	fputs(databases, stdout);
	print_overrides(SCOPE_DATABASE);
	fputs(users, stdout);
	print_overrides(SCOPE_USER);
	fputs(peers, stdout);
	fputs(auth_file, stdout);
	fputs(hba_file, stdout);
	fputs(later, stdout);
	print_later();
	fputs(moot, stdout);
	print_moot();
	fputs(tail, stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
