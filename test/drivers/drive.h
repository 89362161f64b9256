/* drive.h - runs a program of this folder and takes its lines for checks: README.md. */
#ifndef SLUICE_TEST_DRIVE_H
#define SLUICE_TEST_DRIVE_H

/* DRIVER_<name> in the environment is its command line, or, beginning with a '!', why there is none. before: what
 * stands before the command, such as variables it needs. Skips the test where there is none. */
void drive(const char *driver, const char *before, const char *mode);

#endif
