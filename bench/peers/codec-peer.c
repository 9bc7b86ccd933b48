/*
 * libslurm's own codec, timed: what `bench/codec/ours.ts` does with slurmwire's. It is linked to libslurmfull, the library of Slurm's
 * programs, since the public libslurm hides these functions.
 *
 *   kill PROTOCOL FRAMEFILE BODY_AT COUNT     a kill frame, encoded and decoded COUNT times
 *   table PROTOCOL BODYFILE COUNT             a RESPONSE_JOB_INFO body, decoded COUNT times
 *   submit JOBS RUNNING DIRECTORY             submits jobs, all but RUNNING of them held
 *
 * Prints a line of JSON; times in nanoseconds, of one. A message is made by unpacking the bytes given, and must pack to the same bytes.
 *
 * No header of Slurm's declares these functions for others, so the structures stay opaque here: blocks of bytes that are large enough,
 * in which the few fields needed are found by what the library itself writes into them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

enum { OPAQUE_BYTES = 8192, KILL_JOB = 5032, JOB_INFO = 2004, AUTH_MUNGE = 101, HASH_K12 = 2 };

struct packer;
extern struct packer *init_buf(uint32_t size);
extern void free_buf(struct packer *packer);
extern void pack8(uint8_t value, struct packer *packer);
extern void pack32(uint32_t value, struct packer *packer);
extern void packmem(void *bytes, uint32_t size, struct packer *packer);
extern void packmem_array(char *bytes, uint32_t size, struct packer *packer);
extern int unpack32(uint32_t *value, struct packer *packer);
extern int unpackmem_ptr(char **bytes, uint32_t *size, struct packer *packer);
extern int unpackmem_xmalloc(char **bytes, uint32_t *size, struct packer *packer);
extern void pack_header(void *header, struct packer *packer);
extern int unpack_header(void *header, struct packer *packer);
extern int pack_msg(void *message, struct packer *packer);
extern int unpack_msg(void *message, struct packer *packer);
extern void slurm_msg_t_init(void *message);
extern int slurm_free_msg_data(int type, void *data);
extern void slurm_xfree_ptr(void *bytes);
extern int hash_g_init(void);
extern int hash_g_compute(char *input, int length, char *extra, int extra_length, void *hash);

static void fail(const char *why)
{
	fprintf(stderr, "codec-peer: %s (errno %d)\n", why, errno);
	exit(1);
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1e9 + at.tv_nsec;
}

static double cpu(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return at.tv_sec * 1e9 + at.tv_nsec;
}

/* Where a packer keeps its position: the number that one byte more makes 1. */
static size_t position_at;

static void find_position(void)
{
	struct packer *packer = init_buf(64);
	uint32_t before[6];
	size_t i;

	memcpy(before, packer, sizeof(before));
	pack8(0, packer);
	for (i = 0; i < 6; i++)
		if (before[i] == 0 && ((uint32_t *) packer)[i] == 1)
			position_at = 4 * i;
	if (position_at == 0)
		fail("the position of a buffer was not found");
	free_buf(packer);
}

#define POSITION(packer) (*(uint32_t *) ((char *) (packer) + position_at))

/* A packer to read from, with these bytes in it. */
static struct packer *packer_of(char *bytes, uint32_t size)
{
	struct packer *packer = init_buf(size);

	packmem_array(bytes, size, packer);
	POSITION(packer) = 0;
	return packer;
}

static void free_data(uint16_t type, void *data)
{
	/* What slurm_free_msg_data() takes for one of these is the record of one job. */
	if (type == JOB_INFO)
		slurm_free_job_info_msg(data);
	else
		slurm_free_msg_data(type, data);
}

/* A message: where its type and version are, which slurm_msg_t_init() sets to NO_VAL16 both, and its data, which unpack_msg() sets. */
static size_t type_at, data_at;

static void find_message_fields(uint16_t type, uint16_t protocol, struct packer *body)
{
	static char message[OPAQUE_BYTES], before[OPAQUE_BYTES];
	size_t at;

	slurm_msg_t_init(message);
	for (at = 0; at + 4 <= OPAQUE_BYTES && type_at == 0; at += 2)
		if (*(uint32_t *) (message + at) == ((uint32_t) NO_VAL16 << 16 | NO_VAL16))
			type_at = at;
	if (type_at == 0)
		fail("the type of a message was not found");
	((uint16_t *) (message + type_at))[0] = type;
	((uint16_t *) (message + type_at))[1] = protocol;
	memcpy(before, message, sizeof(before));
	if (unpack_msg(message, body) != 0)
		fail("unpack_msg");
	POSITION(body) = 0;
	for (at = 0; at < OPAQUE_BYTES && data_at == 0; at += 8)
		if (*(uint64_t *) (before + at) == 0 && *(uint64_t *) (message + at) > 0x100000)
			data_at = at;
	if (data_at == 0)
		fail("the data of a message was not found");
	free_data(type, *(void **) (message + data_at));
}

static void prepare_message(char *message, uint16_t type, uint16_t protocol)
{
	slurm_msg_t_init(message);
	((uint16_t *) (message + type_at))[0] = type;
	((uint16_t *) (message + type_at))[1] = protocol;
}

static char *contents(const char *path, uint32_t *size)
{
	FILE *file = fopen(path, "rb");
	char *bytes;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		fail(path);
	*size = ftell(file);
	rewind(file);
	bytes = malloc(*size);
	if (fread(bytes, 1, *size, file) != *size)
		fail(path);
	fclose(file);
	return bytes;
}

static char header[OPAQUE_BYTES], message[OPAQUE_BYTES], opened[OPAQUE_BYTES];

/*
 * As libslurm sends: a buffer of its own size each for body, credential section and header, and the length word before them. What is in
 * them is then given to the system in pieces, so it is not put together here.
 */
static void encode_kill(char *credential, uint32_t credential_size, uint32_t *length)
{
	struct packer *body = init_buf(0), *auth, *head;

	pack_msg(message, body);
	head = init_buf(0);
	pack_header(header, head);
	auth = init_buf(0);
	pack32(AUTH_MUNGE, auth);
	packmem(credential, credential_size, auth);
	*length = POSITION(body) + POSITION(head) + POSITION(auth);
	free_buf(body);
	free_buf(head);
	free_buf(auth);
}

/* The least it could do: everything into one buffer that is kept. */
static void encode_kill_kept(struct packer *packer, uint32_t length, char *credential, uint32_t credential_size)
{
	POSITION(packer) = 0;
	pack32(length, packer);
	pack_header(header, packer);
	pack32(AUTH_MUNGE, packer);
	packmem(credential, credential_size, packer);
	pack_msg(message, packer);
}

static void decode_kill(struct packer *frame, uint16_t protocol)
{
	uint32_t length, plugin, size;
	char *credential = NULL;

	POSITION(frame) = 0;
	if (unpack32(&length, frame) || unpack_header(opened, frame) || unpack32(&plugin, frame) ||
	    unpackmem_xmalloc(&credential, &size, frame) || plugin != AUTH_MUNGE)
		fail("the frame does not unpack");
	prepare_message(opened, KILL_JOB, protocol);
	if (unpack_msg(opened, frame) != 0)
		fail("unpack_msg");
	slurm_xfree_ptr(credential);
	free_data(KILL_JOB, *(void **) (opened + data_at));
}

static int time_kill(uint16_t protocol, const char *path, uint32_t body_at, long count)
{
	uint32_t size, length, plugin, credential_size, packed_size;
	char *frame = contents(path, &size), *credential = NULL, *packed, type[2] = { KILL_JOB >> 8, KILL_JOB & 0xff }, hash[128] = { HASH_K12 };
	struct packer *body = packer_of(frame + body_at, size - body_at), *whole = packer_of(frame, size), *kept = init_buf(0);
	double began, used, encode, encode_kept, decode, digest;
	long i;

	find_message_fields(KILL_JOB, protocol, body);
	prepare_message(message, KILL_JOB, protocol);
	if (unpack32(&length, whole) || unpack_header(header, whole) || unpack32(&plugin, whole) ||
	    unpackmem_xmalloc(&credential, &credential_size, whole) || unpack_msg(message, body))
		fail("the frame does not unpack");
	encode_kill_kept(kept, size - 4, credential, credential_size);
	/* A length and as many bytes are what a string is too. */
	packed_size = POSITION(kept);
	POSITION(kept) = 0;
	if (packed_size != size || unpackmem_ptr(&packed, &length, kept) || memcmp(packed, frame + 4, size - 4) != 0)
		fail("the frame packs to other bytes");

	for (i = 0; i < count / 10; i++) {
		encode_kill(credential, credential_size, &length);
		decode_kill(whole, protocol);
	}
	used = cpu();
	began = now();
	for (i = 0; i < count; i++)
		encode_kill(credential, credential_size, &length);
	encode = (now() - began) / count;
	began = now();
	for (i = 0; i < count; i++)
		decode_kill(whole, protocol);
	decode = (now() - began) / count;
	used = (cpu() - used) / count;
	began = now();
	for (i = 0; i < count; i++)
		encode_kill_kept(kept, size - 4, credential, credential_size);
	encode_kept = (now() - began) / count;
	if (hash_g_init() != 0)
		fail("hash_g_init");
	began = now();
	for (i = 0; i < count; i++)
		if (hash_g_compute(frame + body_at, size - body_at, type, sizeof(type), hash) < 0)
			fail("hash_g_compute");
	digest = (now() - began) / count;
	printf("{\"encode\":%.1f,\"encodeKept\":%.1f,\"decode\":%.1f,\"cpu\":%.1f,\"digest\":%.1f}\n", encode, encode_kept,
	       decode, used, digest);
	return 0;
}

static int time_table(uint16_t protocol, const char *path, long count)
{
	uint32_t size;
	char *bytes = contents(path, &size);
	struct packer *body = packer_of(bytes, size);
	double began, used, first = 0;
	long i;

	find_message_fields(JOB_INFO, protocol, body);
	began = now();
	used = cpu();
	for (i = 0; i < count; i++) {
		POSITION(body) = 0;
		prepare_message(message, JOB_INFO, protocol);
		if (unpack_msg(message, body) != 0 || POSITION(body) != size)
			fail("unpack_msg");
		free_data(JOB_INFO, *(void **) (message + data_at));
		if (i == 0)
			first = now() - began;
	}
	printf("{\"decode\":%.0f,\"cpu\":%.0f,\"first\":%.0f}\n", (now() - began) / count, (cpu() - used) / count, first);
	return 0;
}

static int submit(long jobs, long running, char *directory)
{
	static char *environment[] = { "PATH=/usr/bin:/bin", NULL };
	static char *names[] = { "align", "train-resnet", "md_equil", "post", "nightly-regression-suite" };
	char comment[64], account[16], name[64];
	long i;

	for (i = 0; i < jobs; i++) {
		job_desc_msg_t job;
		submit_response_msg_t *answer = NULL;
		int tries;

		slurm_init_job_desc_msg(&job);
		snprintf(name, sizeof(name), "%s-%ld", names[i % 5], i / 5);
		snprintf(comment, sizeof(comment), "pipeline run %ld", i / 16);
		snprintf(account, sizeof(account), "project%ld", i % 12);
		job.name = name;
		job.account = account;
		if (i % 3 == 0)
			job.comment = comment;
		job.user_id = job.group_id = 2001 + i % 2;
		job.environment = environment;
		job.env_size = 1;
		job.script = "#!/bin/sh\nsleep 100000\n";
		job.work_dir = directory;
		job.std_out = "/dev/null";
		job.std_err = "/dev/null";
		job.std_in = "/dev/null";
		job.min_cpus = 1;
		job.num_tasks = 1;
		job.min_nodes = 1;
		job.time_limit = 60 + i % 600;
		if (i >= running)
			job.priority = 0;
		for (tries = 0; slurm_submit_batch_job(&job, &answer) != 0; tries++)
			if (tries == 3)
				fail("slurm_submit_batch_job");
		slurm_free_submit_response_response_msg(answer);
	}
	printf("{\"submitted\":%ld}\n", jobs);
	return 0;
}

int main(int count, char **words)
{
	slurm_init(NULL);
	find_position();
	if (count == 6 && strcmp(words[1], "kill") == 0)
		return time_kill(atoi(words[2]) << 8, words[3], atoi(words[4]), atol(words[5]));
	if (count == 5 && strcmp(words[1], "table") == 0)
		return time_table(atoi(words[2]) << 8, words[3], atol(words[4]));
	if (count == 5 && strcmp(words[1], "submit") == 0)
		return submit(atol(words[2]), atol(words[3]), words[4]);
	fprintf(stderr, "codec-peer: wrong arguments\n");
	return 2;
}
