/*
 * A container's whole life with nothing in it that thinks: makes the cgroup, starts the executor with a tape that is there
 * already, answers its notes, waits for the container and removes the cgroup. What it takes is what the kernel takes.
 *
 *     floor SCRIPT
 *
 * SCRIPT (floor.ts writes it) has a line a step, in the order of the runtime's own plan:
 *
 *     cgroup PATH FD      make it; the executor gets it as this descriptor
 *     write PATH VALUE    a limit
 *     try PATH VALUE      a limit that the kernel may not have
 *     pipe FD             the executor gets the end to read from: what `start` writes into
 *     result FD           the executor gets the end to write to: what tells `start` of execve
 *     spawn IMAGE FD      start the executor; its end of the socket is this descriptor
 *     await TAG           until a note with this tag has come
 *     init TAG            likewise; its value is the container's first process, and the executor has ended
 *     go                  let it go on
 *     exec                until the end of file that execve makes
 *     start               a byte into the pipe, then until the end of file on the result
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../ffi/abi.h"

static int sync_fd = -1, start_fd = -1, result_fd = -1;
/* What the executor gets: our descriptors and its numbers. */
static struct { int from, to; } handed[4];
static int handed_count;
static const char *cgroup_path;
static pid_t executor, init;
static unsigned long long seen; /* tags, a bit each */

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	/* End of file: whatever of the executor waits for us exits. */
	if (sync_fd >= 0)
		close(sync_fd);
	if (init > 0)
		kill(init, SIGKILL);
	while (wait(NULL) > 0)
		;
	if (cgroup_path)
		rmdir(cgroup_path);
	exit(1);
}

static void hand(int from, int to)
{
	if (from < 0 || handed_count == (int)(sizeof handed / sizeof *handed))
		die("a descriptor");
	handed[handed_count].from = from;
	handed[handed_count++].to = to;
}

static void make_pipe(int *ours, int to, int reads)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe2");
	hand(ends[!reads], to);
	*ours = ends[reads];
}

static int image_in_memory(const char *path)
{
	static char buffer[1 << 16];
	int from = open(path, O_RDONLY | O_CLOEXEC);
	int to = memfd_create("runts-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from < 0 || to < 0)
		die(path);
	for (ssize_t n; (n = read(from, buffer, sizeof buffer)) != 0;)
		if (n < 0 || write(to, buffer, n) != n)
			die(path);
	close(from);
	if (fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		die("F_ADD_SEALS");
	return to;
}

static void spawn(const char *image, int sync_to)
{
	int pair[2], memory = image_in_memory(image);
	char path[64], *argv[] = { "runts-init", NULL }, *envp[] = { NULL };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	hand(pair[1], sync_to);
	snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
	executor = vfork();
	if (executor < 0)
		die("vfork");
	if (executor == 0) {
		for (int i = 0; i < handed_count; i++)
			if (dup2(handed[i].from, handed[i].to) < 0)
				_exit(126);
		execve(path, argv, envp);
		_exit(127);
	}
	sync_fd = pair[0];
	close(memory);
	for (int i = 0; i < handed_count; i++)
		close(handed[i].from);
}

/* The next message; 0 at the end of file. */
static int receive(struct rtap_message *message)
{
	char buffer[sizeof *message + RTAP_MESSAGE_TEXT_LIMIT];
	ssize_t n = read(sync_fd, buffer, sizeof buffer);
	if (n < 0)
		die("read");
	if (n == 0)
		return 0;
	if (n < (ssize_t)sizeof *message) {
		errno = EPROTO;
		die("a short message");
	}
	memcpy(message, buffer, sizeof *message);
	if (message->type != RTAP_TYPE_NOTE) {
		errno = message->type == RTAP_TYPE_FAIL ? message->a : ENOEXEC;
		snprintf(buffer, sizeof buffer, "operation %u of the tape", message->index);
		die(buffer);
	}
	return 1;
}

static void await(int tag, int is_init)
{
	struct rtap_message message;
	while (!(seen >> tag & 1)) {
		if (!receive(&message)) {
			errno = EPIPE;
			die("the executor has ended");
		}
		seen |= 1ULL << message.a;
		if (is_init && message.a == tag)
			init = message.b;
	}
	if (is_init && waitpid(executor, NULL, __WALL) < 0)
		die("waitpid");
}

static void write_value(const char *path, const char *value, int required)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if ((fd < 0 || write(fd, value, strlen(value)) < 0) && required)
		die(path);
	if (fd >= 0)
		close(fd);
}

static void perform(char *line)
{
	struct rtap_message message;
	char *a = strchr(line, ' '), *b = NULL;
	if (a) {
		*a++ = 0;
		b = strchr(a, ' ');
		if (b)
			*b++ = 0;
	}
	if (!strcmp(line, "cgroup") && b) {
		if (mkdir(a, 0755) < 0)
			die(a);
		cgroup_path = a;
		hand(open(a, O_RDONLY | O_DIRECTORY | O_CLOEXEC), atoi(b));
	} else if ((!strcmp(line, "write") || !strcmp(line, "try")) && b) {
		write_value(a, b, *line == 'w');
	} else if (!strcmp(line, "pipe") && a) {
		make_pipe(&start_fd, atoi(a), 1);
	} else if (!strcmp(line, "result") && a) {
		make_pipe(&result_fd, atoi(a), 0);
	} else if (!strcmp(line, "spawn") && b) {
		spawn(a, atoi(b));
	} else if (!strcmp(line, "await") && a) {
		await(atoi(a), 0);
	} else if (!strcmp(line, "init") && a) {
		await(atoi(a), 1);
	} else if (!strcmp(line, "go")) {
		if (send(sync_fd, "g", 1, MSG_NOSIGNAL) != 1)
			die("send");
	} else if (!strcmp(line, "exec")) {
		while (receive(&message))
			;
	} else if (!strcmp(line, "start")) {
		char buffer[64];
		ssize_t length;
		if (write(start_fd, "0", 1) != 1)
			die("write");
		while ((length = read(result_fd, buffer, sizeof buffer)) > 0)
			;
		if (length < 0)
			die("read");
	} else {
		errno = EINVAL;
		die(line);
	}
}

int main(int argc, char **argv)
{
	static char script[1 << 16];
	int status, fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	ssize_t length = fd < 0 ? -1 : read(fd, script, sizeof script - 1);
	if (length < 0)
		die(argc == 2 ? argv[1] : "usage: floor SCRIPT");
	close(fd);
	for (char *line = strtok(script, "\n"); line; line = strtok(NULL, "\n"))
		perform(line);
	if (init <= 0 || waitpid(init, &status, __WALL) < 0)
		die("the container");
	if (cgroup_path && rmdir(cgroup_path) < 0)
		die(cgroup_path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
