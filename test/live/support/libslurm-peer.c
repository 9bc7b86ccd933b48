/*
 * One call of libslurm's own, as another client beside ours: prints {"value": what it returned, "number": slurm_get_errno()} as a line
 * of JSON. The number is 0 where the call returned 0 (or a count), for then Slurm leaves errno as it was.
 *
 *   kill_job JOB SIGNAL FLAGS          kill_job_step JOB STEP SIGNAL
 *   kill_job2 TEXT SIGNAL FLAGS        signal_job_step JOB STEP SIGNAL
 *   signal_job JOB SIGNAL              terminate_job_step JOB STEP
 *   ping CONTROLLER                    load_jobs: the value is how many jobs there are that are not over
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

#define SINCE(major, minor) (SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(major, minor, 0))

static const char *const *words;
static int count;
/* Whether what was returned is a number of things, and no error. */
static int is_count;

/* An argument as a number; whatever is no number of 32 bits ends the program. */
static uint32_t number(int index)
{
	char *end = "missing";
	unsigned long long value = 0;

	errno = 0;
	if (index < count)
		value = strtoull(words[index], &end, 10);
	if (*end != '\0' || errno != 0 || value > UINT32_MAX) {
		fprintf(stderr, "argument %d is no number of 32 bits\n", index);
		exit(2);
	}
	return (uint32_t) value;
}

#if SINCE(24, 11)
/* Slurm's number is errno; later headers have no function for it. */
#define slurm_get_errno() errno
#endif

#if SINCE(26, 5)
/* From 26.05 on a structure names the target. */
static slurm_step_id_t *target(uint32_t step)
{
	static slurm_step_id_t id;

	memset(&id, 0, sizeof(id));
	id.job_id = number(2);
	id.step_id = step;
	id.step_het_comp = NO_VAL;
	return &id;
}
#define JOB *target(NO_VAL)
#define STEP target(number(3))
#else
#define JOB number(2)
#define STEP number(2), number(3)
#endif

/* How many jobs slurmctld tells of that are not over; -1 as Slurm has it. */
static int load_jobs(void)
{
	job_info_msg_t *jobs = NULL;
	uint32_t i;
	int left = 0;

	if (slurm_load_jobs(0, &jobs, SHOW_ALL) != 0)
		return -1;
	is_count = 1;
	for (i = 0; i < jobs->record_count; i++)
		if ((jobs->job_array[i].job_state & JOB_STATE_BASE) < JOB_COMPLETE)
			left++;
	slurm_free_job_info_msg(jobs);
	return left;
}

static int call(const char *name)
{
	if (strcmp(name, "ping") == 0)
		return slurm_ping((int) number(2));
	if (strcmp(name, "load_jobs") == 0)
		return load_jobs();
	if (strcmp(name, "kill_job") == 0)
		return slurm_kill_job(JOB, number(3), number(4));
	if (strcmp(name, "kill_job2") == 0 && count == 5)
#if SINCE(21, 8)
		return slurm_kill_job2(words[2], number(3), number(4), NULL);
#else
		return slurm_kill_job2(words[2], number(3), number(4));
#endif
	if (strcmp(name, "kill_job_step") == 0)
#if SINCE(23, 11)
		return slurm_kill_job_step(STEP, number(4), 0);
#else
		return slurm_kill_job_step(STEP, number(4));
#endif
	if (strcmp(name, "signal_job") == 0)
		return slurm_signal_job(JOB, number(3));
	if (strcmp(name, "signal_job_step") == 0)
		return slurm_signal_job_step(STEP, number(4));
	if (strcmp(name, "terminate_job_step") == 0)
		return slurm_terminate_job_step(STEP);
	fprintf(stderr, "no call %s\n", name);
	exit(2);
}

int main(int argc, const char *const argv[])
{
	int value;

	words = argv;
	count = argc;
	if (argc < 2) {
		fprintf(stderr, "no call named\n");
		return 2;
	}
	slurm_init(NULL);
	errno = 0;
	value = call(argv[1]);
	printf("{\"value\": %d, \"number\": %d}\n", value, value == 0 || is_count ? 0 : slurm_get_errno());
	slurm_fini();
	return 0;
}
