/* certs.h - certificates for tests of encryption, made when they are first asked for; their names say what they are. */
#ifndef SLUICE_TEST_CERTS_H
#define SLUICE_TEST_CERTS_H

/* In dir()/tls: ca and strange-ca; server and other (for 127.0.0.1 and localhost), elsewhere, only-cn (no
 * subjectAltName), expired; alice's, and stranger, which says it is hers too, and is of strange-ca. */
void certs_make(void);
/* One more, by that CA. */
void certs_certify(const char *name, const char *subject, const char *san, const char *ca, int days);
/* Another name for a certificate and its key. */
void certs_copy(const char *name, const char *to);
/* The path of "alice.crt". */
const char *certs_file(const char *file);

#endif
