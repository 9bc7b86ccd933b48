/*
 * The least that can answer a kill, to see the client alone: reads one frame a connection, writes the answer for its message type, closes.
 *
 *   responder TYPE=FILE...
 *
 * Listens on 127.0.0.1, on a port the system chooses, and prints it. A FILE holds a whole frame, length word included; it answers messages of
 * its TYPE in its own version. Anything else is answered by a close. Then, for a line on stdin: prints how many of each TYPE were answered since the last line, in the order of the
 * arguments. Ends with stdin. One thread, so it never takes more than one core; Linux only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_ANSWERS 16
#define MAX_CONNECTIONS 4096
/* Longer than any kill. */
#define MAX_FRAME 8192
/* In a frame of protocol 22.05 or newer: length word, version, flags, type. */
#define VERSION_AT 4
#define TYPE_AT 8

struct answer {
	unsigned type;
	uint8_t *frame;
	size_t length;
	unsigned long given;
};

struct connection {
	uint8_t bytes[MAX_FRAME];
	size_t held;
};

static struct answer answers[MAX_ANSWERS];
static int answer_count;
/* By file descriptor. */
static struct connection *connections[MAX_CONNECTIONS];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void read_answer(const char *argument)
{
	struct answer *answer = &answers[answer_count++];
	char *end;
	FILE *file;

	answer->type = (unsigned) strtoul(argument, &end, 10);
	if (*end != '=' || (file = fopen(end + 1, "rb")) == NULL)
		fail(argument);
	answer->frame = malloc(1 << 20);
	answer->length = fread(answer->frame, 1, 1 << 20, file);
	fclose(file);
}

static void respond(int fd, const uint8_t *asked)
{
	unsigned type = (unsigned) asked[TYPE_AT] << 8 | asked[TYPE_AT + 1];
	int i;

	for (i = 0; i < answer_count; i++) {
		if (answers[i].type != type || memcmp(asked + VERSION_AT, answers[i].frame + VERSION_AT, 2) != 0)
			continue;
		if (write(fd, answers[i].frame, answers[i].length) == (ssize_t) answers[i].length)
			answers[i].given++;
		return;
	}
}

static void hang_up(int fd)
{
	free(connections[fd]);
	connections[fd] = NULL;
	close(fd);
}

static void listen_to(int fd)
{
	struct connection *one = connections[fd];
	ssize_t got = read(fd, one->bytes + one->held, sizeof(one->bytes) - one->held);
	uint32_t length;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		hang_up(fd);
		return;
	}
	one->held += (size_t) got;
	if (one->held < 4)
		return;
	memcpy(&length, one->bytes, 4);
	length = ntohl(length);
	if (length < TYPE_AT || length > MAX_FRAME - 4) {
		hang_up(fd);
		return;
	}
	if (one->held < 4 + length)
		return;
	respond(fd, one->bytes);
	hang_up(fd);
}

static void welcome(int ear, int poll)
{
	for (;;) {
		struct epoll_event wanted;
		int fd = accept4(ear, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (fd >= MAX_CONNECTIONS || (connections[fd] = malloc(sizeof(struct connection))) == NULL) {
			close(fd);
			continue;
		}
		connections[fd]->held = 0;
		wanted.events = EPOLLIN;
		wanted.data.fd = fd;
		if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &wanted) != 0)
			hang_up(fd);
		else
			listen_to(fd);
	}
}

/* A line on stdin: tells. False at its end. */
static int tell(void)
{
	char line[64];
	int i;

	if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
		return 0;
	for (i = 0; i < answer_count; i++) {
		printf("%s%lu", i == 0 ? "" : " ", answers[i].given);
		answers[i].given = 0;
	}
	printf("\n");
	fflush(stdout);
	return 1;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	struct epoll_event event = { .events = EPOLLIN };
	int ear, poll, i;

	if (argc < 2 || argc > 1 + MAX_ANSWERS) {
		fprintf(stderr, "usage: responder TYPE=FILE...\n");
		return 2;
	}
	for (i = 1; i < argc; i++)
		read_answer(argv[i]);
	ear = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ear < 0 || bind(ear, (struct sockaddr *) &address, size) != 0 || listen(ear, 4096) != 0
	    || getsockname(ear, (struct sockaddr *) &address, &size) != 0)
		fail("listen");
	poll = epoll_create1(EPOLL_CLOEXEC);
	event.data.fd = ear;
	if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, ear, &event) != 0)
		fail("epoll");
	event.data.fd = STDIN_FILENO;
	if (epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
		fail("epoll");
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		struct epoll_event events[64];
		int count = epoll_wait(poll, events, 64, -1);

		for (i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == ear)
				welcome(ear, poll);
			else if (fd != STDIN_FILENO)
				listen_to(fd);
			else if (!tell())
				return 0;
		}
	}
}
