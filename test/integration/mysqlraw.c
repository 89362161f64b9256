/* mysqlraw.c - a client that says what it is told to. MySQL Internals, Client/Server Protocol. */
#include "mysqlraw.h"
#include "harness.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PART_MAX = 0xffffff };

/* ------------------------------------------------------------------------------------------------ saying */

void myraw_add_u16(struct pgraw_bytes *b, unsigned v)
{
	uint8_t le[] = { (uint8_t)v, (uint8_t)(v >> 8) };
	pgraw_add(b, le, sizeof le);
}

void myraw_add_u32(struct pgraw_bytes *b, uint32_t v)
{
	myraw_add_u16(b, v & 0xffff);
	myraw_add_u16(b, v >> 16);
}

void myraw_add_lenenc(struct pgraw_bytes *b, uint64_t v)
{
	uint8_t first = v < 251 ? (uint8_t)v : v < 0x10000 ? 0xfc : v < 0x1000000 ? 0xfd : 0xfe;
	unsigned more = first < 251 ? 0 : first == 0xfc ? 2 : first == 0xfd ? 3 : 8;
	pgraw_add(b, &first, 1);
	for (unsigned i = 0; i < more; i++) {
		uint8_t byte = (uint8_t)(v >> (8 * i));
		pgraw_add(b, &byte, 1);
	}
}

static void put_header(char *at, size_t len, uint8_t seq)
{
	const uint8_t head[] = { (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), seq };
	memcpy(at, head, sizeof head);
}

size_t myraw_begin(struct pgraw_bytes *b, uint8_t command)
{
	pgraw_add(b, "\0\0\0", 4);
	pgraw_add(b, &command, 1);
	return b->n - 5;
}

void myraw_end(struct pgraw_bytes *b, size_t begun)
{
	uint8_t seq = 0;
	for (;;) {
		size_t len = b->n - begun - 4;
		if (len < PART_MAX) {
			put_header(b->p + begun, len, seq);
			return;
		}
		put_header(b->p + begun, PART_MAX, seq++);
		begun += 4 + PART_MAX;
		pgraw_add(b, "\0\0\0", 4); /* and the rest behind it */
		memmove(b->p + begun + 4, b->p + begun, b->n - begun - 4);
	}
}

bool myraw_bytes(struct myraw *r, const void *p, size_t n)
{
	return r->fd >= 0 && raw_send(r->fd, p, n);
}

#define WITH_CURSOR 0x80 /* in what is due: an EXECUTE asks for one */

static bool has_answer(uint8_t command)
{
	return command != MY_QUIT && command != MY_STMT_CLOSE && command != MY_STMT_SEND_LONG_DATA;
}

bool myraw_send(struct myraw *r, const struct pgraw_bytes *b)
{
	const uint8_t *p = (const uint8_t *)b->p;
	for (size_t at = 0, len = 0; at + 5 <= b->n; at += 4 + len) {
		len = (size_t)p[at] | (size_t)p[at + 1] << 8 | (size_t)p[at + 2] << 16;
		if (p[at + 3] == 0 && has_answer(p[at + 4]) && r->ndue < COUNT(r->due)) {
			bool cursor = p[at + 4] == MY_STMT_EXECUTE && len > 5 && at + 9 < b->n && p[at + 9];
			r->due[r->ndue++] = (uint8_t)(p[at + 4] | (cursor ? WITH_CURSOR : 0));
		}
	}
	return myraw_bytes(r, b->p, b->n);
}

bool myraw_command(struct myraw *r, uint8_t command, const void *body, size_t n)
{
	struct pgraw_bytes b = { 0 };
	size_t at = myraw_begin(&b, command);
	pgraw_add(&b, body, n);
	myraw_end(&b, at);
	bool ok = myraw_send(r, &b);
	free(b.p);
	return ok;
}

bool myraw_query(struct myraw *r, const char *text)
{
	return myraw_command(r, MY_QUERY, text, strlen(text));
}

static bool send_packet(struct myraw *r, const void *p, size_t n)
{
	struct pgraw_bytes b = { 0 };
	pgraw_add(&b, "\0\0\0", 4);
	put_header(b.p, n, ++r->seq);
	pgraw_add(&b, p, n);
	bool ok = raw_send(r->fd, b.p, b.n);
	free(b.p);
	return ok;
}

/* ------------------------------------------------------------------------------------------------ hearing */

/* The rest of a packet. Getters give 0 or "" when there is too little. */
struct body {
	const uint8_t *p, *end;
};

static const uint8_t *take(struct body *b, size_t n)
{
	const uint8_t *at = b->p;
	if (n > (size_t)(b->end - b->p)) {
		b->p = b->end;
		return NULL;
	}
	b->p += n;
	return at;
}

static uint64_t take_le(struct body *b, unsigned bytes)
{
	const uint8_t *at = take(b, bytes);
	uint64_t v = 0;
	for (unsigned i = 0; at && i < bytes; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

static uint64_t take_lenenc(struct body *b)
{
	uint64_t first = take_le(b, 1);
	return first < 251 ? first : first == 0xfc ? take_le(b, 2) : first == 0xfd ? take_le(b, 3) : take_le(b, 8);
}

static const char *take_cstr(struct body *b)
{
	const uint8_t *at = b->p, *nul = at < b->end ? memchr(at, 0, (size_t)(b->end - at)) : NULL;
	b->p = nul ? nul + 1 : b->end;
	return nul ? (const char *)at : "";
}

static void print_value(FILE *f, const uint8_t *p, size_t n)
{
	enum { SHOWN = 400 };
	uint32_t sum = 5381;
	for (size_t i = 0; i < n; i++)
		sum = sum * 33 + p[i];
	for (size_t i = 0; i < n && i < SHOWN; i++)
		fprintf(f, p[i] >= ' ' && p[i] < 127 ? "%c" : "\\x%02x", p[i]);
	if (n > SHOWN)
		fprintf(f, "... %zu bytes, %08x", n, sum);
}

static void print_lenenc(FILE *f, struct body *b)
{
	uint64_t n = take_lenenc(b);
	const uint8_t *at = n > (uint64_t)(b->end - b->p) ? NULL : take(b, (size_t)n);
	if (at)
		print_value(f, at, (size_t)n);
	else
		b->p = b->end;
}

static FILE *line_begin(char **line, size_t *n)
{
	FILE *f = open_memstream(line, n);
	if (!f)
		abort();
	return f;
}

static void line_end(struct myraw *r, FILE *f, char **line)
{
	fclose(f);
	if (r->nheard == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->heard = realloc(r->heard, r->cap * sizeof *r->heard);
		if (!r->heard)
			abort();
	}
	r->heard[r->nheard++].line = *line;
}

/* Flags that tell of the session and of what comes, not of how a statement was run. */
enum { STATUS_SHOWN = 1 | 2 | 8 | 64 | 128 | 512 | 4096 | 8192 | 32768 };

static void hear_ok(struct myraw *r, struct body b, const char *what)
{
	char *line;
	size_t n;
	FILE *f = line_begin(&line, &n);
	(void)take(&b, 1);
	uint64_t rows = take_lenenc(&b), id = take_lenenc(&b);
	r->status = (unsigned)take_le(&b, 2);
	unsigned warnings = (unsigned)take_le(&b, 2);
	fprintf(f, "%s rows %llu, id %llu, status %x, warnings %u ", what, (unsigned long long)rows,
		(unsigned long long)id, r->status & STATUS_SHOWN, warnings);
	if (b.p < b.end) /* with its length, whatever is written of servers of before session tracking */
		print_lenenc(f, &b);
	line_end(r, f, &line);
}

static void hear_eof(struct myraw *r, struct body b)
{
	char *line;
	size_t n;
	if (r->caps & MY_DEPRECATE_EOF) {
		hear_ok(r, b, "end");
		return;
	}
	FILE *f = line_begin(&line, &n);
	(void)take(&b, 1);
	unsigned warnings = (unsigned)take_le(&b, 2);
	r->status = (unsigned)take_le(&b, 2);
	fprintf(f, "end status %x, warnings %u", r->status & STATUS_SHOWN, warnings);
	line_end(r, f, &line);
}

/* MariaDB's, which is no error: how far it has come, and nothing else. */
static bool is_progress(struct body b)
{
	return b.end - b.p > 3 && b.p[0] == 0xff && b.p[1] == 0xff && b.p[2] == 0xff;
}

static void hear_error(struct myraw *r, struct body b)
{
	char *line;
	size_t n;
	FILE *f = line_begin(&line, &n);
	(void)take(&b, 1);
	r->error = (unsigned)take_le(&b, 2);
	fprintf(f, "error %u ", r->error);
	print_value(f, b.p, (size_t)(b.end - b.p));
	line_end(r, f, &line);
}

static void hear_column(struct myraw *r, struct body b)
{
	char *line;
	size_t n;
	FILE *f = line_begin(&line, &n);
	fputs("column", f);
	for (int i = 0; i < 6; i++) { /* catalog, database, table, its name, column, its name */
		char *part;
		size_t len;
		FILE *one = line_begin(&part, &len);
		print_lenenc(one, &b);
		fclose(one);
		if (i == 2 || i == 4)
			fprintf(f, " %s", part);
		free(part);
	}
	if (r->more & MY_EXTENDED_TYPES) { /* each with a tag and a length of its own */
		fputc(' ', f);
		print_lenenc(f, &b);
	}
	(void)take_lenenc(&b);
	unsigned charset = (unsigned)take_le(&b, 2);
	unsigned long len = (unsigned long)take_le(&b, 4);
	unsigned type = (unsigned)take_le(&b, 1), flags = (unsigned)take_le(&b, 2), decimals = (unsigned)take_le(&b, 1);
	fprintf(f, " %u,%lu,%u,%x,%u", charset, len, type, flags, decimals);
	(void)take(&b, 2);
	if (b.p < b.end) { /* COM_FIELD_LIST: the default */
		fputc(' ', f);
		print_value(f, b.p, (size_t)(b.end - b.p));
	}
	line_end(r, f, &line);
}

static void hear_row(struct myraw *r, struct body b)
{
	char *line;
	size_t n;
	FILE *f = line_begin(&line, &n);
	fputs("row ", f);
	if (r->is_binary) {
		print_value(f, b.p, (size_t)(b.end - b.p));
	} else {
		for (bool first = true; b.p < b.end; first = false) {
			fputs(first ? "" : " | ", f);
			if (*b.p == 0xfb) {
				b.p++;
				fputs("null", f);
			} else {
				print_lenenc(f, &b);
			}
		}
	}
	line_end(r, f, &line);
}

static void hear_text(struct myraw *r, const char *what, struct body b)
{
	char *line;
	size_t n;
	FILE *f = line_begin(&line, &n);
	fputs(what, f);
	print_value(f, b.p, (size_t)(b.end - b.p));
	line_end(r, f, &line);
}

/* The first answer that is due is there. */
static void done(struct myraw *r)
{
	r->stage = MYRAW_FIRST;
	if (r->ndue)
		memmove(r->due, r->due + 1, --r->ndue);
}

static void done_unless_more(struct myraw *r)
{
	/* Behind OUT parameters, too, of which MySQL does not say so. */
	if (r->status & MY_STATUS_MORE_RESULTS || r->is_out || r->status & MY_STATUS_OUT)
		r->stage = MYRAW_FIRST;
	else
		done(r);
	r->is_out = false;
}

static bool is_end(const struct myraw *r, struct body b)
{
	size_t n = (size_t)(b.end - b.p);
	return n && *b.p == 0xfe && n < (r->caps & MY_DEPRECATE_EOF ? PART_MAX : 9);
}

/* ------------------------------------------------------------------------------------------------ passwords */

static void digest(const EVP_MD *md, uint8_t *out, const void *a, size_t na, const void *b, size_t nb)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_DigestInit_ex(c, md, NULL);
	EVP_DigestUpdate(c, a, na);
	EVP_DigestUpdate(c, b, nb);
	EVP_DigestFinal_ex(c, out, NULL);
	EVP_MD_CTX_free(c);
}

/* What proves the password by this method; its length. */
static size_t prove(const struct myraw *r, uint8_t *out)
{
	bool is_sha2 = strcmp(r->plugin, "caching_sha2_password") == 0;
	const EVP_MD *md = is_sha2 ? EVP_sha256() : EVP_sha1();
	size_t n = is_sha2 ? 32 : 20;
	uint8_t once[32], twice[32], mixed[32];
	if (!*r->password)
		return 0;
	digest(md, once, r->password, strlen(r->password), "", 0);
	digest(md, twice, once, n, "", 0);
	if (is_sha2)
		digest(md, mixed, twice, n, r->salt, sizeof r->salt);
	else
		digest(md, mixed, r->salt, sizeof r->salt, twice, n);
	for (size_t i = 0; i < n; i++)
		out[i] = once[i] ^ mixed[i];
	return n;
}

/* The password under the server's key. */
static bool send_encrypted(struct myraw *r, struct body key)
{
	uint8_t plain[64], sealed[1024];
	size_t n = strlen(r->password) + 1, len = sizeof sealed;
	for (size_t i = 0; i < n; i++)
		plain[i] = (uint8_t)r->password[i] ^ r->salt[i % sizeof r->salt];
	BIO *bio = BIO_new_mem_buf(key.p, (int)(key.end - key.p));
	EVP_PKEY *pk = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY_CTX *c = pk ? EVP_PKEY_CTX_new(pk, NULL) : NULL;
	bool ok = c && EVP_PKEY_encrypt_init(c) > 0 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) > 0 &&
		  EVP_PKEY_encrypt(c, sealed, &len, plain, n) > 0 && send_packet(r, sealed, len);
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(pk);
	BIO_free(bio);
	return ok;
}

static void take_salt(struct myraw *r, struct body *b, size_t at, size_t n)
{
	const uint8_t *p = take(b, n);
	if (p && at + n <= sizeof r->salt)
		memcpy(r->salt + at, p, n);
}

/* A packet of the login that is neither OK nor ERR. */
static bool hear_login(struct myraw *r, struct body b)
{
	uint8_t proof[32];
	uint64_t type = take_le(&b, 1);
	if (type == 0xfe) {
		snprintf(r->plugin, sizeof r->plugin, "%s", take_cstr(&b));
		take_salt(r, &b, 0, sizeof r->salt);
		size_t n = prove(r, proof);
		return send_packet(r, proof, n);
	}
	if (type != 1 || b.p == b.end)
		return false;
	if (*b.p == 3) /* it knows the password */
		return true;
	if (*b.p == 4)
		return send_packet(r, "\2", 1); /* asks for its key */
	return send_encrypted(r, b);
}

/* ------------------------------------------------------------------------------------------------ answers */

static bool send_file(struct myraw *r)
{
	size_t n = r->file ? strlen(r->file) : 0;
	bool ok = n == 0 || send_packet(r, r->file, n);
	return ok && send_packet(r, "", 0);
}

static bool hear_first(struct myraw *r, struct body b)
{
	uint8_t command = r->due[0] & (uint8_t)~WITH_CURSOR, first = *b.p;
	if (first == 0xff) {
		hear_error(r, b);
		done(r);
		return true;
	}
	switch (command) {
	case MY_STATISTICS:
		hear_text(r, "statistics", (struct body){ b.p, b.p });
		done(r);
		return true;
	case MY_CHANGE_USER:
		if (first != 0)
			return hear_login(r, b);
		break;
	case MY_FIELD_LIST:
		if (is_end(r, b)) {
			hear_eof(r, b);
			done(r);
		} else {
			hear_column(r, b);
		}
		return true;
	case MY_STMT_FETCH:
		r->is_binary = true;
		r->stage = MYRAW_ROWS;
		return true; /* and is looked at again */
	case MY_STMT_PREPARE:
		(void)take(&b, 1);
		r->statement = (uint32_t)take_le(&b, 4);
		r->columns = (unsigned)take_le(&b, 2);
		r->params = (unsigned)take_le(&b, 2);
		(void)take(&b, 1);
		hear_text(r, text("prepared %u, %u, warnings %u", r->params, r->columns, (unsigned)take_le(&b, 2)),
			  (struct body){ b.p, b.p });
		bool follow = !(r->caps & MY_OPTIONAL_METADATA) || b.p == b.end || take_le(&b, 1) != 0;
		r->is_bare = !follow;
		r->left = r->params;
		r->left_then = r->columns;
		if (r->is_bare) { /* but for what parts them */
			bool parts = !(r->caps & MY_DEPRECATE_EOF);
			r->is_prepare = true;
			r->stage = !parts       ? MYRAW_FIRST
				   : r->params  ? MYRAW_PARAMS_END
				   : r->columns ? MYRAW_COLUMNS_END
						: MYRAW_FIRST;
			if (r->stage == MYRAW_FIRST)
				done(r);
			return true;
		}
		r->stage = r->left ? MYRAW_PARAMS : r->left_then ? MYRAW_COLUMNS : MYRAW_FIRST;
		if (!r->left)
			r->left = r->left_then;
		r->is_prepare = true;
		if (r->stage == MYRAW_FIRST)
			done(r);
		return true;
	default:
		break;
	}
	if (first == 0) {
		hear_ok(r, b, "ok");
		done_unless_more(r);
		return true;
	}
	if (first == 0xfe && is_end(r, b)) { /* COM_SET_OPTION */
		hear_eof(r, b);
		done_unless_more(r);
		return true;
	}
	if (first == 0xfb) {
		(void)take(&b, 1);
		hear_text(r, "file ", b);
		return send_file(r);
	}
	if (command != MY_QUERY && command != MY_STMT_EXECUTE)
		return false;
	r->is_binary = command == MY_STMT_EXECUTE;
	r->is_prepare = false;
	r->left = (unsigned)take_lenenc(&b);
	r->stage = MYRAW_COLUMNS;
	if (r->caps & MY_OPTIONAL_METADATA && r->left && take_le(&b, 1) == 0)
		r->stage = r->caps & MY_DEPRECATE_EOF ? MYRAW_ROWS : MYRAW_COLUMNS_END;
	return r->left > 0 && b.p == b.end;
}

static bool hear_packet(struct myraw *r, struct body b)
{
	if (r->ndue == 0) {
		if (b.p < b.end && *b.p == 0xff)
			hear_error(r, b);
		else
			hear_text(r, "unasked ", b);
		return true;
	}
	if (b.p == b.end)
		return false;
	if (is_progress(b)) {
		hear_text(r, "progress", (struct body){ b.p, b.p });
		return true;
	}
	if (r->stage == MYRAW_FIRST) {
		bool ok = hear_first(r, b);
		if (!ok || r->stage != MYRAW_ROWS)
			return ok;
	}
	switch (r->stage) {
	case MYRAW_PARAMS:
		hear_column(r, b);
		if (--r->left == 0) {
			r->left = r->left_then;
			r->stage = MYRAW_PARAMS_END;
			if (r->caps & MY_DEPRECATE_EOF) {
				r->stage = MYRAW_COLUMNS;
				if (!r->left)
					done(r);
			}
		}
		return true;
	case MYRAW_PARAMS_END:
		if (!is_end(r, b))
			return false;
		r->stage = r->is_bare ? MYRAW_COLUMNS_END : MYRAW_COLUMNS;
		if (r->is_bare ? !r->left_then : !r->left)
			done(r);
		return true;
	case MYRAW_COLUMNS:
		hear_column(r, b);
		if (--r->left == 0) {
			r->stage = MYRAW_COLUMNS_END;
			if (r->caps & MY_DEPRECATE_EOF) {
				r->stage = MYRAW_ROWS;
				if (r->is_prepare)
					done(r);
			}
		}
		return true;
	case MYRAW_COLUMNS_END:
		if (!is_end(r, b))
			return false;
		hear_eof(r, b);
		r->stage = MYRAW_ROWS;
		r->is_out = r->status & MY_STATUS_OUT;
		if (r->is_prepare)
			done(r);
		else if (r->status & MY_STATUS_CURSOR && r->due[0] & WITH_CURSOR) /* its rows are fetched */
			done_unless_more(r);
		return true;
	case MYRAW_ROWS:
		if (*b.p == 0xff) {
			hear_error(r, b);
			done(r);
		} else if (is_end(r, b)) {
			hear_eof(r, b);
			done_unless_more(r);
		} else {
			hear_row(r, b);
		}
		return true;
	case MYRAW_FIRST:
		break;
	}
	return false;
}

/* Cuts packets off. */
static bool hear_all(struct myraw *r)
{
	size_t at = 0;
	bool ok = true;
	while (ok && r->in.n - at >= 4) {
		const uint8_t *p = (const uint8_t *)r->in.p + at;
		size_t len = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
		if (len > r->in.n - at - 4)
			break;
		r->seq = p[3];
		at += 4 + len;
		if (len == PART_MAX || r->packet.n) {
			pgraw_add(&r->packet, p + 4, len);
			if (len == PART_MAX)
				continue;
			const uint8_t *whole = (const uint8_t *)r->packet.p;
			ok = hear_packet(r, (struct body){ whole, whole + r->packet.n });
			r->packet.n = 0;
		} else {
			ok = hear_packet(r, (struct body){ p + 4, p + 4 + len });
		}
	}
	if (at) {
		memmove(r->in.p, r->in.p + at, r->in.n - at);
		r->in.n -= at;
	}
	return ok;
}

bool myraw_read(struct myraw *r)
{
	static char more[65536];
	ssize_t n = 0;
	while (r->fd >= 0 && (n = recv(r->fd, more, sizeof more, MSG_DONTWAIT)) > 0) {
		pgraw_add(&r->in, more, (size_t)n);
		if (!hear_all(r)) {
			r->nonsense = true;
			break;
		}
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	r->closed = true;
	return false;
}

bool myraw_wait(struct myraw *r)
{
	bool ok = true;
	for (uint64_t until = now_ms() + PATIENCE_MS; ok && r->ndue && now_ms() < until;) {
		struct pollfd p = { r->fd, POLLIN, 0 };
		poll(&p, 1, 100);
		ok = myraw_read(r);
	}
	return ok && r->ndue == 0;
}

void myraw_forget(struct myraw *r)
{
	while (r->nheard)
		free(r->heard[--r->nheard].line);
}

char *myraw_lines(const struct myraw *r)
{
	char *all;
	size_t n;
	FILE *f = line_begin(&all, &n);
	for (size_t i = 0; i < r->nheard; i++)
		fprintf(f, "%s\n", r->heard[i].line);
	fclose(f);
	return all;
}

char *myraw_ask(struct myraw *r, const char *text)
{
	myraw_forget(r);
	(void)(myraw_query(r, text) && myraw_wait(r));
	return myraw_lines(r);
}

/* ------------------------------------------------------------------------------------------------ coming and going */

/* One packet, by waiting; its number is kept for the answer. */
static bool next_packet(struct myraw *r, uint8_t *buf, size_t size, size_t *len)
{
	uint8_t head[4];
	if (!raw_read(r->fd, head, sizeof head))
		return false;
	*len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
	r->seq = head[3];
	return *len <= size && raw_read(r->fd, buf, *len);
}

size_t myraw_put_greeting(uint8_t *out, const char *version, uint32_t caps)
{
	struct pgraw_bytes b = { 0 };
	pgraw_add(&b, "\0\0\0\0\12", 5);
	pgraw_add_cstr(&b, version);
	pgraw_add(&b, "\1\0\0\0abcdefgh\0", 13);
	myraw_add_u16(&b, caps & 0xffff);
	pgraw_add(&b, "\x2d\2\0", 3);
	myraw_add_u16(&b, caps >> 16);
	pgraw_add(&b, "\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0", 24);
	pgraw_add_cstr(&b, "mysql_native_password");
	b.p[0] = (char)(b.n - 4);
	memcpy(out, b.p, b.n);
	size_t n = b.n;
	free(b.p);
	return n;
}

bool myraw_greet(struct myraw *r, int port)
{
	uint8_t buf[1024];
	size_t len;
	int yes = 1;
	*r = (struct myraw){ .fd = raw_to(port), .collation = 45 };
	if (r->fd < 0 || setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
	    !next_packet(r, buf, sizeof buf, &len) || len == 0)
		return false;
	struct body b = { buf, buf + len };
	if (*buf == 0xff) {
		hear_error(r, b);
		return false;
	}
	if (take_le(&b, 1) != 10)
		return false;
	snprintf(r->version, sizeof r->version, "%s", take_cstr(&b));
	r->thread = (uint32_t)take_le(&b, 4);
	take_salt(r, &b, 0, 8);
	(void)take(&b, 1);
	r->server_caps = (uint32_t)take_le(&b, 2);
	(void)take(&b, 3);
	r->server_caps |= (uint32_t)take_le(&b, 2) << 16;
	(void)take(&b, 7);
	r->server_more = (uint32_t)take_le(&b, 4);
	take_salt(r, &b, 8, 12);
	(void)take(&b, 1);
	snprintf(r->plugin, sizeof r->plugin, "%s", take_cstr(&b));
	return true;
}

void myraw_add_login(struct myraw *r, struct pgraw_bytes *b, const char *user, const char *password,
		     const char *database, uint32_t caps)
{
	uint8_t proof[32], zero[19] = { 0 };
	r->caps = ((caps ? caps : MY_USUAL) & r->server_caps) | (database ? MY_CONNECT_WITH_DB : 0);
	snprintf(r->user, sizeof r->user, "%s", user);
	snprintf(r->password, sizeof r->password, "%s", password);
	myraw_add_u32(b, r->caps);
	myraw_add_u32(b, 64 << 20);
	pgraw_add(b, &r->collation, 1);
	pgraw_add(b, zero, sizeof zero);
	r->more &= r->caps & MY_LONG_PASSWORD ? 0 : r->server_more;
	myraw_add_u32(b, r->more);
	pgraw_add_cstr(b, user);
	uint8_t n = (uint8_t)prove(r, proof);
	pgraw_add(b, &n, 1);
	pgraw_add(b, proof, n);
	if (database)
		pgraw_add_cstr(b, database);
	if (r->caps & MY_PLUGIN_AUTH)
		pgraw_add_cstr(b, r->plugin);
}

bool myraw_login(struct myraw *r, const char *user, const char *password, const char *database, uint32_t caps)
{
	struct pgraw_bytes b = { 0 };
	uint8_t buf[4096];
	size_t len;
	myraw_add_login(r, &b, user, password, database, caps);
	bool ok = send_packet(r, b.p, b.n);
	free(b.p);
	while (ok && (ok = next_packet(r, buf, sizeof buf, &len) && len > 0)) {
		struct body answer = { buf, buf + len };
		if (*buf == 0) {
			hear_ok(r, answer, "ok");
			myraw_forget(r);
			return true;
		}
		if (*buf == 0xff) {
			hear_error(r, answer);
			return false;
		}
		ok = hear_login(r, answer);
	}
	return false;
}

bool myraw_open(struct myraw *r, int port, const char *user, const char *password, const char *database, uint32_t caps)
{
	return myraw_greet(r, port) && myraw_login(r, user, password, database, caps);
}

void myraw_close(struct myraw *r, bool politely)
{
	if (r->fd >= 0 && politely)
		raw_send(r->fd, "\1\0\0\0\1", 5);
	if (r->fd >= 0)
		raw_close(r->fd);
	myraw_forget(r);
	free(r->heard);
	free(r->in.p);
	free(r->packet.p);
	*r = (struct myraw){ .fd = -1 };
}
