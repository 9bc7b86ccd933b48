/*
 * slurm_signal_job, timed: once to a small job, so that slurm.conf is read and tables are built, then so many times to the job that is
 * measured. Each of these prints a line of JSON: milliseconds, milliseconds of this process's own CPU, what the function returned, errno.
 *
 *   signal-job SMALL_JOB JOB SIGNAL COUNT
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static double cpu_ms(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

static int signal_job(uint32_t job, uint16_t number)
{
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(26, 5, 0)
	slurm_step_id_t id;

	memset(&id, 0, sizeof(id));
	id.job_id = job;
	id.step_id = NO_VAL;
	id.step_het_comp = NO_VAL;
	return slurm_signal_job(id, number);
#else
	return slurm_signal_job(job, number);
#endif
}

int main(int argc, char *argv[])
{
	uint32_t small, job;
	uint16_t number;
	int i, count;

	if (argc != 5) {
		fprintf(stderr, "usage: signal-job SMALL_JOB JOB SIGNAL COUNT\n");
		return 2;
	}
	small = (uint32_t) strtoul(argv[1], NULL, 10);
	job = (uint32_t) strtoul(argv[2], NULL, 10);
	number = (uint16_t) strtoul(argv[3], NULL, 10);
	count = atoi(argv[4]);
	slurm_init(NULL);
	if (signal_job(small, number) != 0) {
		slurm_perror("the small job");
		return 1;
	}
	for (i = 0; i < count; i++) {
		double began = now_ms(), cpu = cpu_ms();
		int value;

		errno = 0;
		value = signal_job(job, number);
		printf("{\"ms\": %.3f, \"cpuMs\": %.3f, \"value\": %d, \"number\": %d}\n", now_ms() - began, cpu_ms() - cpu, value,
		       value == 0 ? 0 : errno);
		fflush(stdout);
	}
	slurm_fini();
	return 0;
}
