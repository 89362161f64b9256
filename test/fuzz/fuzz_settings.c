/* fuzz_settings.c - the values of settings. The input is a line: key = value, as of SET; or a byte that picks a
 * row, and a value. */
#include "fuzz.h"

#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

static void check_value(enum setting_id id, const char *value)
{
	const struct setting *row = &settings_table[id];
	struct setting_value v, again;
	struct fault f;
	if (!setting_parse(id, value, &v, &f)) {
		fuzz_check("a fault that names the row",
			   f.kind == FAULT_CONFIG && !strncmp(f.text, row->name, strlen(row->name)));
		fuzz_check("cuts no character",
			   fuzz_is_utf8(f.text, strlen(f.text)) || !fuzz_is_utf8(value, strlen(value)));
		return;
	}
	struct sb shown = { .max = 0 };
	setting_show(id, &v, &shown);
	bool is_text = row->kind == KIND_text || row->kind == KIND_list;
	if (is_text)
		fuzz_check("a text is as it was", !strcmp(v.text, value) && strlen(value) <= (size_t)row->max);
	else if (row->kind == KIND_enum)
		fuzz_check("a word", v.num >= 0 && *sb_str(&shown));
	else
		fuzz_check("in its range", v.num >= row->min && v.num <= row->max);
	if (!(row->when & WHEN_SECRET)) {
		fuzz_check("what is shown is taken", setting_parse(id, sb_str(&shown), &again, &f));
		fuzz_check("as the same", setting_value_same(id, &v, &again));
		setting_value_free(id, &again);
	}
	fuzz_check("copied", setting_value_copy(id, &again, &v) && setting_value_same(id, &v, &again));
	setting_value_free(id, &again);
	setting_value_free(id, &v);
	sb_free(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data;
	size_t left = size, len;
	const uint8_t *part = fuzz_part(&p, &left, '=', &len);
	char *key = fuzz_text(part, len);
	char *value = fuzz_text(p, left);
	int id = setting_find(key);
	const char *near = setting_nearest(key);
	fuzz_check("what is known is nearest to itself", id < 0 || (near && setting_find(near) == id));
	fuzz_check("what is near is known", !near || setting_find(near) >= 0);
	fuzz_check("nobody serves what is served later",
		   id < 0 || setting_later(key, value, settings_table[id].scope) == LATER_UNKNOWN);
	if (id >= 0)
		check_value((enum setting_id)id, value);
	else if (*key)
		check_value((enum setting_id)((unsigned char)*key % SET_COUNT), key + 1);
	fuzz_free(key);
	fuzz_free(value);
	return 0;
}
