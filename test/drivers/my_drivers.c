/* my_drivers.c - the programs beside this file that speak to the mysql door, each in each of its modes: README.md.
 * run.sh makes what they need and calls this. From the environment: DRIVER_<name> (drive.h); DRIVERS_STRAIGHT: runs
 * them straight at the server instead, to know that their cases are right. */
#include "../integration/harness_my.h"
#include "drive.h"

#include <stdlib.h>
#include <string.h>

static void through(const char *driver, const char *mode)
{
	bool is_console = strcmp(mode, "console") == 0, is_straight = strcmp(mode, "straight") == 0;
	const char *user = is_console ? "admin" : "alice";
	if (!is_straight)
		sluice_start(&(struct conf){
			.databases = "test = kind=mysql @MY@\n* = kind=mysql @MY@",
			.settings = text("pool_mode = %s\ndefault_pool_size = %d", is_console ? "session" : mode,
					 strcmp(mode, "transaction") == 0 ? 3 : 20),
		});
	drive(driver,
	      text("MYSQL_USER=%s MYSQL_PASSWORD=%s-secret MYSQL_DATABASE=%s MYSQL_HOST=127.0.0.1 MYSQL_TCP_PORT=%d "
		   "MYSQL_KIND=%s",
		   user, user, is_console ? "sluice" : "test", is_straight ? my_port() : sluice_my_port(),
		   my_is_mysql() ? "mysql" : "mariadb"),
	      mode);
}

#define DRIVERS(X) X(cli) X(capi) X(pymysql) X(mysqlclient) X(node_mysql2) X(node_mariadb) X(jdbc) X(dbd)
#define X(name)                                                                                                        \
	static void name##_console(void)                                                                               \
	{                                                                                                              \
		through("my_" #name, "console");                                                                       \
	}                                                                                                              \
	static void name##_session(void)                                                                               \
	{                                                                                                              \
		through("my_" #name, "session");                                                                       \
	}                                                                                                              \
	static void name##_transaction(void)                                                                           \
	{                                                                                                              \
		through("my_" #name, "transaction");                                                                   \
	}                                                                                                              \
	static void name##_straight(void)                                                                              \
	{                                                                                                              \
		through("my_" #name, "straight");                                                                      \
	}
DRIVERS(X)
#undef X

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
#define X(name)                                                                                                        \
	{ "my_" #name "_console", name##_console }, { "my_" #name "_session", name##_session },                        \
		{ "my_" #name "_transaction", name##_transaction },
		DRIVERS(X)
#undef X
			{ NULL, NULL },
	};
	static const struct unit_test straight[] = {
#define X(name) { "my_" #name, name##_straight },
		DRIVERS(X)
#undef X
			{ NULL, NULL },
	};
	return harness_my_main(argc, argv, "drivers", getenv("DRIVERS_STRAIGHT") ? straight : tests);
}
