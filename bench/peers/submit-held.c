/*
 * Submits jobs that are held, as fast as one thread of libslurm's can, and prints a number a line. As root, in somebody's name:
 *
 *   submit-held COUNT UID GID NAME
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

int main(int argc, char *argv[])
{
	char *environment[] = { "PATH=/usr/bin:/bin", NULL };
	job_desc_msg_t job;
	int i, count;

	if (argc != 5) {
		fprintf(stderr, "usage: submit-held COUNT UID GID NAME\n");
		return 2;
	}
	count = atoi(argv[1]);
	slurm_init(NULL);
	slurm_init_job_desc_msg(&job);
	job.user_id = (uint32_t) strtoul(argv[2], NULL, 10);
	job.group_id = (uint32_t) strtoul(argv[3], NULL, 10);
	job.name = argv[4];
	job.priority = 0;
	job.min_nodes = 1;
	job.environment = environment;
	job.env_size = 1;
	job.script = "#!/bin/sh\nsleep 1\n";
	job.work_dir = "/tmp";
	job.std_in = job.std_out = job.std_err = "/dev/null";
	for (i = 0; i < count; i++) {
		submit_response_msg_t *answer = NULL;

		if (slurm_submit_batch_job(&job, &answer) != SLURM_SUCCESS) {
			slurm_perror("submit-held");
			return 1;
		}
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(26, 5, 0)
		printf("%u\n", answer->step_id.job_id);
#else
		printf("%u\n", answer->job_id);
#endif
		slurm_free_submit_response_response_msg(answer);
	}
	slurm_fini();
	return 0;
}
