/* manpage.c - prints sluice-console(7), in roff: what the console is in words, its commands from their table. */
#include <stdio.h>

static const char head[] =
	".TH SLUICE-CONSOLE 7 \"\" \"Sluice\" \"Administration\"\n"
	".nh\n" /* as in sluice.ini(5) */
	".ad l\n"
	".SH NAME\n"
	"sluice-console \\- the databases \"sluice\" and \"pgbouncer\" that sluice(1) answers for itself\n"
	".SH SYNOPSIS\n"
	".B psql \\-h\n.I HOST\n.B \\-p\n.I PORT\n.B \\-U\n.I USER\n.B sluice\n"
	".SH DESCRIPTION\n"
	"The two names mean the same. Users in admin_users may run all commands, those in stats_users the ones that show "
	"something. The names sluice and pgbouncer are let in as administrators without a password when they come by the "
	"unix socket from the system's user that Sluice runs as.\n"
	".PP\n"
	"Columns, commands and answers are those of PgBouncer's console. Letter case does not matter, except in the names of "
	"databases; a name that is not a plain word goes between double quotes, a value between single ones. Several "
	"statements may stand in one query, with ; between them: the first that fails ends it.\n"
	".PP\n"
	"Drivers reach it by the extended query protocol too, with prepared statements, portals and results in binary, but "
	"without parameters: what a command is about is written into its text.\n"
	".SH COMMANDS\n";

static const char tail[] = ".SH SEE ALSO\n"
			   ".BR sluice (1),\n"
			   ".BR sluice.ini (5),\n"
			   "and doc/console.md in the sources, which explains each column.\n";

static const struct {
	const char *words, *operand, *text;
} rows[] = {
#define OPERAND_NONE                             ""
#define OPERAND_DB                               "DB"
#define OPERAND_DB_OR_ALL                        "[DB]"
#define OPERAND_ID                               "ID"
#define OPERAND_ASSIGN                           "KEY = VALUE"
#define OPERAND_IGNORED                          "KEY = VALUE"
#define SHOW(word, name, right, text)            { "SHOW " word, "", text },
#define COMMAND(words, name, right, shape, text) { words, OPERAND_##shape, text },
#include "admin/commands.def"
};

int main(void)
{
	fputs(head, stdout);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].text[0])
			printf(".TP\n.BI \"%s \" \"%s\"\n%s\n", rows[i].words, rows[i].operand, rows[i].text);
	fputs(tail, stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
