/* mysql_set.c - what a SET says: each of its assignments. MySQL Reference Manual, SET Syntax for Variable Assignment,
 * SET NAMES; MariaDB Knowledge Base, SET, SET STATEMENT. */
#include "sql/mysql_int.h"

void my_set_init(struct my_assignments *a, const void *text, unsigned mode, const struct my_stmt *st)
{
	struct my_cur c;
	my_lex_init(&c.lex, text, (size_t)st->part.at + st->part.len, mode);
	c.lex.at = st->part.at; /* it may begin in a comment */
	my_step(&c);            /* SET */
	*a = (struct my_assignments){ .lex = c.lex };
	my_step(&c);
	if (st->kind == MY_SET_STATEMENT) /* STATEMENT */
		a->lex = c.lex;
}

static bool is_assigned(const struct my_cur *c)
{
	return c->t.c == '=' || (c->t.kind == SQL_TOK_OP && c->t.span.len == 2 && c->lex.s[c->t.span.at] == ':');
}

static bool is_end(const struct my_cur *c, unsigned depth)
{
	return my_at_end(c) || (depth == 0 && (c->t.c == ',' || c->w == M_FOR));
}

/* The value at c, up to the comma, or the FOR, behind it. */
static bool take_value(struct my_cur *c, struct my_assignment *x)
{
	unsigned depth = 0, words = 0;
	struct sql_token first = c->t;
	enum my_word fw = c->w;
	bool sign = c->t.c == '-' || c->t.c == '+';
	x->value = (struct sql_span){ c->t.span.at, 0 };
	for (; !is_end(c, depth); my_step(c), words++) {
		if (c->t.kind == SQL_TOK_BAD)
			return false;
		depth += c->t.c == '(';
		depth -= c->t.c == ')' && depth > 0;
		if (words == 1 && sign)
			first.kind = c->t.kind;
		x->value.len = c->t.span.at + c->t.span.len - x->value.at;
	}
	x->form = MY_VALUE_EXPRESSION;
	if (words == 1 && fw == M_DEFAULT)
		x->form = MY_VALUE_DEFAULT;
	else if (words == 1 && first.kind == SQL_TOK_WORD)
		x->form = MY_VALUE_WORD;
	else if (words == 1 && first.kind == SQL_TOK_STRING)
		x->form = MY_VALUE_STRING;
	else if (words == 1u + sign && first.kind == SQL_TOK_NUMBER)
		x->form = MY_VALUE_NUMBER;
	return words > 0;
}

/* x | 'x' | DEFAULT, [COLLATE y] */
static bool take_charset(struct my_cur *c, struct my_assignment *x, enum my_scope scope)
{
	x->scope = scope;
	x->form = c->w == M_DEFAULT ? MY_VALUE_DEFAULT : MY_VALUE_WORD;
	if (c->t.kind != SQL_TOK_WORD && c->t.kind != SQL_TOK_STRING && c->t.kind != SQL_TOK_QUOTED)
		x->form = MY_VALUE_EXPRESSION;
	x->value = c->t.span;
	my_step(c);
	if (scope == MY_SCOPE_NAMES && my_take(c, M_COLLATE)) {
		x->value.len = c->t.span.at + c->t.span.len - x->value.at;
		my_step(c);
	}
	return is_end(c, 0);
}

static bool take_scope(struct my_cur *c, enum my_scope *scope)
{
	if (c->w == M_GLOBAL || c->w == M_PERSIST || my_is_word(c, "persist_only"))
		*scope = MY_SCOPE_GLOBAL;
	else if (c->w == M_SESSION || c->w == M_LOCAL)
		*scope = MY_SCOPE_SESSION;
	else
		return false;
	my_step(c);
	return true;
}

/* A setting's name of one or more parts. */
static bool take_setting(struct my_cur *c, struct my_assignment *x)
{
	struct sql_span part;
	if (!my_take_name(c, &x->name))
		return false;
	while (c->t.c == '.') {
		my_step(c);
		if (!my_take_name(c, &part))
			return false;
		x->name.len = part.at + part.len - x->name.at;
	}
	return true;
}

static bool take_assignment(struct my_assignments *a, struct my_cur *c, struct my_assignment *x)
{
	struct my_cur from = *c;
	switch (c->t.kind) {
	case SQL_TOK_USER:
		x->scope = MY_SCOPE_USER;
		x->name = c->t.span;
		my_step(c);
		break;
	case SQL_TOK_SYS: {
		enum my_scope scope = MY_SCOPE_BARE;
		my_step(c);
		from = *c;
		if (take_scope(c, &scope)) {
			if (c->t.c == '.') {
				my_step(c);
			} else { /* a setting of that name */
				*c = from;
				scope = MY_SCOPE_BARE;
			}
		}
		x->scope = scope;
		if (!take_setting(c, x))
			return false;
		break;
	}
	default:
		my_step(c);
		if (!is_assigned(c) && c->t.c != '.') {
			struct my_cur behind = *c;
			if (from.w == M_NAMES)
				return take_charset(c, x, MY_SCOPE_NAMES);
			if (from.w == M_CHARSET)
				return take_charset(c, x, MY_SCOPE_CHARSET);
			if (from.w == M_CHARACTER && my_take(c, M_SET))
				return take_charset(c, x, MY_SCOPE_CHARSET);
			if (!take_scope(&from, &a->scope))
				return false;
			from = behind;
		}
		*c = from;
		x->scope = a->scope;
		if (!take_setting(c, x))
			return false;
	}
	if (!is_assigned(c))
		return false;
	my_step(c);
	return take_value(c, x);
}

bool my_set_next(struct my_assignments *a, struct my_assignment *x)
{
	struct my_cur c = { .lex = a->lex };
	*x = (struct my_assignment){ 0 };
	if (a->bad)
		return false;
	my_step(&c);
	if (is_end(&c, 0))
		return false;
	a->bad = !take_assignment(a, &c, x) || c.t.kind == SQL_TOK_BAD;
	if (a->bad)
		return false;
	/* The comma is taken; what ends it all is seen again. */
	a->lex = c.lex;
	if (c.t.c != ',')
		a->lex.at = c.t.span.at;
	return true;
}
