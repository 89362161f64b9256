/* test_ini.c - configuration files: what is read, from where, and what is refused instead of cut. */
#include "config/ini.h"

#include "conf_files.h"
#include "nomem.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "file:line [section] key=value" and "file:line ! fault", a line each. No allocations: see nomem.h. */
struct got {
	char text[4096];
	unsigned stop_after; /* entries; 0: never */
};

static bool note_entry(void *arg, const struct ini_place *at, const char *section, const char *key, const char *value)
{
	struct got *g = arg;
	size_t len = strlen(g->text);
	str_fmt(g->text + len, sizeof g->text - len, "%s:%d [%s] %s=%s\n", conf_short(at->file), at->line, section, key,
		value);
	return g->stop_after == 0 || --g->stop_after > 0;
}

static bool note_fault(void *arg, const struct ini_place *at, const char *text)
{
	struct got *g = arg;
	size_t len = strlen(g->text);
	str_fmt(g->text + len, sizeof g->text - len, "%s:%d ! %.22s\n", conf_short(at->file), at->line, text);
	return true;
}

static const char *read_it(struct got *g, const char *path)
{
	const struct ini_sink sink = { note_entry, note_fault, g };
	g->text[0] = '\0';
	check("memory", ini_read(path, &sink));
	return g->text;
}

#define ODD "! not understood: neithe\n" /* as note_fault() cuts it */

static const struct {
	const char *what, *in;
	size_t len;
	const char *out;
} files[] = {
	{ "nothing", BYTES(""), "" },
	{ "comments and blanks", BYTES("\n ; a\n\t# b\n;c=d\n \t \n"), "" },
	{ "a key", BYTES("[a]\nb = c\n"), "m:2 [a] b=c\n" },
	{ "no newline at the end", BYTES("[a]\nb=c"), "m:2 [a] b=c\n" },
	{ "no section", BYTES("b=c"), "m:1 [] b=c\n" },
	{ "CRLF", BYTES("[a]\r\nb = c\r\n\r\nd=e\r\n"), "m:2 [a] b=c\nm:4 [a] d=e\n" },
	{ "byte order mark", BYTES("\xef\xbb\xbf[a]\nb=c\n"), "m:2 [a] b=c\n" },
	{ "blanks", BYTES("  [a] \n\t b \t=\t c d \t\n"), "m:2 [a] b=c d\n" },
	{ "an empty value", BYTES("[a]\nb=\nc =  \n"), "m:2 [a] b=\nm:3 [a] c=\n" },
	{ "; in a value", BYTES("[a]\nq = DISCARD ALL; SELECT 1 ; x\n"), "m:2 [a] q=DISCARD ALL; SELECT 1 ; x\n" },
	{ "# in a value", BYTES("[a]\nq = a # b\n"), "m:2 [a] q=a # b\n" },
	{ "= and : in a value", BYTES("[a]\nq = h=1 p:2\n"), "m:2 [a] q=h=1 p:2\n" },
	{ ": is no separator", BYTES("[a]\nb:c\nb:c = d:e\n"), "m:2 " ODD "m:3 [a] b:c=d:e\n" },
	{ "an indented line is a line", BYTES("[a]\nb=c\n  d=e\n  f\n"), "m:2 [a] b=c\nm:3 [a] d=e\nm:4 " ODD },
	{ "a quoted name", BYTES("[a]\n\"x = y:z\" = h=1\n"), "m:2 [a] \"x = y:z\"=h=1\n" },
	{ "a quoted name with quotes", BYTES("[a]\n\"x\"\"=\" = 1\n"), "m:2 [a] \"x\"\"=\"=1\n" },
	{ "an open quote", BYTES("[a]\n\"x = 1\n"), "m:2 " ODD },
	{ "no =", BYTES("[a]\nb\nc=d\n"), "m:2 " ODD "m:3 [a] c=d\n" },
	{ "no key", BYTES("[a]\n=b\n"), "m:2 " ODD },
	{ "the same key twice", BYTES("[a]\nb=1\nb=2\n"), "m:2 [a] b=1\nm:3 [a] b=2\n" },
	{ "a section twice", BYTES("[a]\nb=1\n[c]\n[a]\nb=2\n"), "m:2 [a] b=1\nm:5 [a] b=2\n" },
	{ "no ]", BYTES("[a\nb=c\n"), "m:1 ! a section is a name in\n" },
	{ "what is behind no ]", BYTES("[a]\nb=c\n[d\ne=f\ng\n%include x\n[h]\ni=j\n"),
	  "m:2 [a] b=c\nm:3 ! a section is a name in\nm:8 [h] i=j\n" },
	{ "behind ]", BYTES("[a] b\n[c]d]\n"), "m:1 ! a section is a name in\nm:2 ! a section is a name in\n" },
	{ "no section name", BYTES("[]\n"), "m:1 ! the name of the sectio\n" },
	{ "a long section name", BYTES("[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\nb=c\n"),
	  "m:1 ! the name of the sectio\n" },
	{ "a NUL", BYTES("[a]\nb=c\0d\ne=f\n"), "m:2 ! the line holds a NUL o\nm:3 [a] e=f\n" },
	{ "a control character", BYTES("[a]\nb\1=c\n\2=d\n"),
	  "m:2 ! the line holds a NUL o\nm:3 ! the line holds a NUL o\n" },
	{ "bytes beyond ASCII", BYTES("[a]\nb\xc3\xa4=\xff\n"), "m:2 [a] b\xc3\xa4=\xff\n" },
	{ "an unknown directive", BYTES("%inc x\n%includes y\n"),
	  "m:1 ! unknown directive: the\nm:2 ! unknown directive: the\n" },
	{ "%include of nothing", BYTES("%include\n%include \t\n"),
	  "m:1 ! %include names no file\nm:2 ! %include names no file\n" },
};

static void test_files(void)
{
	conf_dir();
	for (size_t i = 0; i < COUNT(files); i++) {
		struct got g = { .stop_after = 0 };
		check_str(files[i].what, read_it(&g, conf_write("m", files[i].in, files[i].len)), files[i].out);
	}
	conf_clean();
}

/* One test a length: whole, or refused; never cut. */
struct long_value {
	size_t len;
	bool same, fault;
	int line;
	char *want;
};

static bool long_entry(void *arg, const struct ini_place *at, const char *section, const char *key, const char *value)
{
	struct long_value *v = arg;
	(void)section;
	if (strcmp(key, "k") == 0)
		v->same = strlen(value) == v->len && strcmp(value, v->want) == 0;
	else
		v->line = at->line;
	return true;
}

static bool long_fault(void *arg, const struct ini_place *at, const char *text)
{
	struct long_value *v = arg;
	v->fault = at->line == 2 && strstr(text, "65536 bytes");
	return true;
}

static void test_long_lines(void)
{
	static const size_t lens[] = { 195, 196, 197, 198, 199, 200, 201, 4000, 8192, 65534, 65535, 70000, 200000 };
	conf_dir();
	for (size_t i = 0; i < COUNT(lens); i++) {
		struct long_value v = { .len = lens[i] };
		struct sb b = { 0 };
		char what[32];
		v.want = malloc(lens[i] + 1);
		if (!check("memory", v.want))
			break;
		for (size_t n = 0; n < lens[i]; n++)
			v.want[n] = (char)('a' + n % 26);
		v.want[lens[i]] = '\0';
		sb_addf(&b, "[s]\nk=%s\nlast=1\n", v.want);
		const struct ini_sink sink = { long_entry, long_fault, &v };
		str_fmt(what, sizeof what, "%zu bytes", lens[i]);
		check(what, ini_read(conf_write("m", b.s, b.len), &sink));
		bool fits = lens[i] + 2 <= INI_LINE_BYTES;
		check_eq(what, v.same, fits);
		check_eq(what, v.fault, !fits);
		check_eq(what, v.line, 3);
		sb_free(&b);
		free(v.want);
	}
	conf_clean();
}

static void test_include(void)
{
	struct got g = { .stop_after = 0 };
	const char *dir = conf_dir();
	char text[256];

	conf_text("b", "x=1\n[b]\ny=2");
	check_str("beside the file; its section holds on; places are right",
		  read_it(&g, conf_text("m", "[a]\n%include b\nz=3\n %include  b \n!\n")),
		  "b:1 [a] x=1\nb:3 [b] y=2\nm:3 [b] z=3\nb:1 [b] x=1\nb:3 [b] y=2\nm:5 " ODD);

	str_fmt(text, sizeof text, "%%include %s/b\n", dir);
	check_str("by its whole path", read_it(&g, conf_text("m", text)), "b:1 [] x=1\nb:3 [b] y=2\n");

	check_str("one that is not there", read_it(&g, conf_text("m", "\n%include nofile\nx=1\n")),
		  "m:2 ! nofile cannot be opene\nm:3 [] x=1\n");

	check_str("itself", read_it(&g, conf_text("m", "x=1\n%include m\ny=2\n")),
		  "m:1 [] x=1\nm:2 ! %include of "
		  "/tmp/sluic\nm:3 [] y=2\n");

	conf_text("b", "%include c\n");
	conf_text("c", "%include ./b\nx=1\n");
	check_str("in a ring", read_it(&g, conf_text("m", "%include b\n")),
		  "c:1 ! %include of /tmp/sluic\nc:2 [] x=1\n");

	char link[128], target[128];
	str_fmt(link, sizeof link, "%s/link", dir);
	str_fmt(target, sizeof target, "%s", conf_text("m", "%include link\n"));
	check("link", symlink(target, link) == 0);
	check_str("in a ring by another name", read_it(&g, target), "m:1 ! %include of /tmp/sluic\n");

	check_str("twice, but not inside itself",
		  (conf_text("b", "x=1\n"), read_it(&g, conf_text("m", "%include b\n%include b\n"))),
		  "b:1 [] x=1\nb:1 [] x=1\n");
	conf_clean();
}

static void test_include_bounds(void)
{
	struct got g = { .stop_after = 0 };
	char name[16], text[64];
	conf_dir();
	/* 16 files inside each other are fine, 17 are not. */
	for (int i = 1; i <= 16; i++) {
		str_fmt(name, sizeof name, "f%d", i);
		str_fmt(text, sizeof text, i < 16 ? "%%include f%d\n" : "x=%d\n", i + 1);
		conf_text(name, text);
	}
	check_str("as deep as may be", read_it(&g, conf_text("f1", "%include f2\n")), "f16:1 [] x=17\n");
	check_str("deeper", read_it(&g, conf_text("m", "%include f1\n")), "f15:1 ! too many %includes: 16\n");

	/* Each file includes the next one twice: 2^14 files, were there no bound. */
	for (int i = 1; i <= 14; i++) {
		str_fmt(name, sizeof name, "f%d", i);
		str_fmt(text, sizeof text, "%%include f%d\n%%include f%d\n", i + 1, i + 1);
		conf_text(name, text);
	}
	conf_text("f15", "");
	read_it(&g, conf_text("f1", "%include f2\n%include f2\n"));
	check("comes to an end", strstr(g.text, "! too many %includes"));
	conf_clean();
}

static void test_not_files(void)
{
	struct got g = { .stop_after = 0 };
	const char *dir = conf_dir();
	char path[128];
	check("a directory", strstr(read_it(&g, dir), ":0 ! is a directory\n"));
	str_fmt(path, sizeof path, "%s/none", dir);
	check_str("nothing", read_it(&g, path), "none:0 ! cannot be opened: No s\n");
	str_fmt(path, sizeof path, "%s/fifo", dir);
	check("a pipe", mkfifo(path, 0600) == 0);
	check_str("a pipe, which nobody writes to", read_it(&g, path), "fifo:0 ! is not a regular file\n");
	str_fmt(path, sizeof path, "%s/big", dir);
	FILE *f = fopen(path, "w");
	check("a big file", f && fseek(f, (16 << 20) + 1, SEEK_SET) == 0 && fputc('\n', f) == '\n' && fclose(f) == 0);
	check_str("a big file", read_it(&g, path), "big:0 ! the file is larger tha\n");
	conf_clean();
}

static void test_stop(void)
{
	struct got g = { .stop_after = 2 };
	conf_dir();
	conf_text("b", "x=1\ny=2\nz=3\n");
	check_str("no further than asked", read_it(&g, conf_text("m", "%include b\nlast=4\n?\n")),
		  "b:1 [] x=1\nb:2 [] y=2\n");
	conf_clean();
}

static void test_nomem(void)
{
	struct got g = { .stop_after = 0 };
	const struct ini_sink sink = { note_entry, note_fault, &g };
	conf_dir();
	conf_text("b", "y=2\n");
	const char *path = conf_text("m", "[a]\nx=1\n%include b\nz=3\n");
	unsigned failed = 0;
	for (unsigned n = 0; nomem_next(&n);) {
		g.text[0] = '\0';
		bool ok = ini_read(path, &sink);
		check_eq("says so", ok, !nomem_hit());
		check("and nothing else", !strchr(g.text, '!'));
		failed += !ok;
	}
	check("there was something to run out of", failed > 5);
	conf_clean();
}

void suite_ini(void)
{
	static const struct unit_test tests[] = {
		{ "files", test_files },         { "long lines", test_long_lines },
		{ "%include", test_include },    { "bounds of %include", test_include_bounds },
		{ "no files", test_not_files },  { "stopping", test_stop },
		{ "out of memory", test_nomem }, { NULL, NULL },
	};
	unit_add("ini", tests);
}
