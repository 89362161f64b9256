/* hba.h - who may come in, and how, by the rules of config/hba.h: the first rule that fits decides. Pure, but that
 * samehost and samenet look at this machine's own addresses. */
#ifndef SLUICE_AUTH_HBA_H
#define SLUICE_AUTH_HBA_H

#include "config/hba.h"
#include "net/addr.h"

/* A client that asks for something. */
struct hba_client {
	const struct addr *addr; /* ADDR_UNIX: local */
	const char *database, *user;
	bool is_tls;
	bool is_replication; /* physical: of no database */
};

/* NULL: none fits, which is a no. */
const struct hba_rule *hba_pick(const struct hba *h, const struct hba_client *c);

/* May this system user (or the name in a certificate) be that database user? map NULL: only one of the same name. */
bool ident_maps(const struct ident *i, const char *map, const char *system, const char *user);

#endif
