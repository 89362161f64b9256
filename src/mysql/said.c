/* said.c - what clients say is kept with their server for a while, for logs. MySQL Source Code Documentation,
 * Client/Server Protocol: COM_QUERY, COM_STMT_PREPARE, COM_STMT_EXECUTE. */
#include "mysql/mysql_int.h"

#include "sql/fingerprint.h"

void mysql_says(struct mysql_client *c, struct rd text, size_t total)
{
	session_says(&c->s, text.p, rd_left(&text), total);
}

void mysql_says_command(struct mysql_client *c, const struct rd *in, uint32_t len, uint8_t com)
{
	size_t there = rd_left(in) - MYSQL_HEADER;
	struct rd body = rd_of(in->p + MYSQL_HEADER + 1, (there < len ? there : len) - 1), text = body;
	bool is_text =
		com == MYSQL_COM_STMT_PREPARE || (com == MYSQL_COM_QUERY && mysql_read_query(body, c->caps, &text));
	if (is_text)
		session_says(&c->s, text.p, rd_left(&text), len - (size_t)(text.p - in->p) + MYSQL_HEADER);
	else
		session_says(&c->s, NULL, 0, 0);
}

void mysql_says_prepared(struct mysql_client *c, const struct istr *text)
{
	const char *values[MYSQL_MEANINGS];
	struct rd sql = text ? mysql_meaning_read(text, values) : rd_of("", 0);
	session_says(&c->s, text ? sql.p : NULL, rd_left(&sql), rd_left(&sql));
}

size_t mysql_fingerprint(const struct session *s, const struct server_heard *said, char *out, size_t cap)
{
	const struct mysql_server *p = mysql_server_of(s->server);
	unsigned mode = mysql_track_mode(s->vars, p->is_mariadb, p->number);
	return sql_fingerprint(said->text, said->len, said->is_cut, SQL_DIALECT_MYSQL, mode, out, cap);
}
