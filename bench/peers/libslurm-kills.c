/*
 * Kills through libslurm, for the measures beside ours.
 *
 *   submit COUNT
 *       Asks for COUNT allocations that stay pending (held, no script), and prints their ids, one a line.
 *   kill THREADS WARMUP PAUSE_US SIGNAL < ids
 *       Calls slurm_kill_job() once for each id, THREADS at a time, with a pause before each. The first WARMUP ids do not count. Prints one line
 *       of JSON: {"kills": K, "failed": how many returned an error, "seconds": wall, "userSeconds": …, "systemSeconds": …,
 *       "latencies": [microseconds, one a kill]}.
 *
 * Times of the process are those of getrusage(2), all threads together, of the part that counts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

#define SINCE(major, minor) (SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(major, minor, 0))

static uint32_t *ids;
static size_t id_count;
static uint16_t kill_signal;
static useconds_t pause_us;
static uint32_t *latencies;
static atomic_size_t next_id;
static size_t end_id;
static atomic_uint failed;

static unsigned number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value > UINT32_MAX) {
		fprintf(stderr, "%s is no number\n", text);
		exit(2);
	}
	return (unsigned) value;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static double seconds(struct timeval time)
{
	return (double) time.tv_sec + (double) time.tv_usec / 1e6;
}

static int kill_one(uint32_t id)
{
#if SINCE(26, 5)
	slurm_step_id_t target;

	memset(&target, 0, sizeof(target));
	target.job_id = id;
	target.step_id = NO_VAL;
	target.step_het_comp = NO_VAL;
	return slurm_kill_job(target, kill_signal, 0);
#else
	return slurm_kill_job(id, kill_signal, 0);
#endif
}

static void *work(void *unused)
{
	(void) unused;
	for (;;) {
		size_t at = atomic_fetch_add(&next_id, 1);
		double began;

		if (at >= end_id)
			return NULL;
		if (pause_us > 0)
			usleep(pause_us);
		began = now();
		if (kill_one(ids[at]) != 0)
			atomic_fetch_add(&failed, 1);
		latencies[at] = (uint32_t) ((now() - began) * 1e6);
	}
}

/* The ids from one index to another, by so many threads. */
static void run(size_t from, size_t to, unsigned threads)
{
	pthread_t *others = calloc(threads, sizeof(*others));
	unsigned i;

	atomic_store(&next_id, from);
	end_id = to;
	for (i = 1; i < threads; i++)
		if (pthread_create(&others[i], NULL, work, NULL) != 0) {
			fprintf(stderr, "no thread\n");
			exit(1);
		}
	work(NULL);
	for (i = 1; i < threads; i++)
		pthread_join(others[i], NULL);
	free(others);
}

static void read_ids(void)
{
	size_t room = 0;
	unsigned id;

	while (scanf("%u", &id) == 1) {
		if (id_count == room) {
			room = room == 0 ? 1024 : 2 * room;
			ids = realloc(ids, room * sizeof(*ids));
			if (ids == NULL)
				exit(1);
		}
		ids[id_count++] = id;
	}
	latencies = calloc(id_count + 1, sizeof(*latencies));
}

static int kill_all(unsigned threads, size_t warmup)
{
	struct rusage before, after;
	double began, wall;
	size_t i;

	read_ids();
	if (warmup >= id_count) {
		fprintf(stderr, "nothing is left after the warm-up\n");
		return 2;
	}
	run(0, warmup, threads);
	atomic_store(&failed, 0);
	getrusage(RUSAGE_SELF, &before);
	began = now();
	run(warmup, id_count, threads);
	wall = now() - began;
	getrusage(RUSAGE_SELF, &after);
	printf("{\"kills\": %zu, \"failed\": %u, \"seconds\": %.6f, \"userSeconds\": %.6f, \"systemSeconds\": %.6f, \"latencies\": [",
	       id_count - warmup, atomic_load(&failed), wall,
	       seconds(after.ru_utime) - seconds(before.ru_utime),
	       seconds(after.ru_stime) - seconds(before.ru_stime));
	for (i = warmup; i < id_count; i++)
		printf("%s%u", i == warmup ? "" : ",", latencies[i]);
	printf("]}\n");
	return 0;
}

static int submit(unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		job_desc_msg_t wanted;
		resource_allocation_response_msg_t *made = NULL;
		char *environment[] = { "SLURM=1", NULL };

		slurm_init_job_desc_msg(&wanted);
		wanted.name = "kill-me";
		wanted.user_id = getuid();
		wanted.group_id = getgid();
		wanted.min_nodes = 1;
		wanted.time_limit = 10;
		wanted.priority = 0;
		wanted.work_dir = "/tmp";
		wanted.environment = environment;
		wanted.env_size = 1;
		if (slurm_allocate_resources(&wanted, &made) != 0) {
			fprintf(stderr, "no job: %s\n", slurm_strerror(errno));
			return 1;
		}
		printf("%u\n",
#if SINCE(26, 5)
		       made->step_id.job_id
#else
		       made->job_id
#endif
		);
		slurm_free_resource_allocation_response_msg(made);
	}
	return 0;
}

int main(int argc, const char *const argv[])
{
	int code;

	slurm_init(NULL);
	if (argc == 3 && strcmp(argv[1], "submit") == 0) {
		code = submit(number(argv[2]));
	} else if (argc == 6 && strcmp(argv[1], "kill") == 0) {
		pause_us = number(argv[4]);
		kill_signal = (uint16_t) number(argv[5]);
		code = kill_all(number(argv[2]), number(argv[3]));
	} else {
		fprintf(stderr, "usage: submit COUNT | kill THREADS WARMUP PAUSE_US SIGNAL\n");
		code = 2;
	}
	slurm_fini();
	return code;
}
