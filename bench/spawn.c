/*
 * Runs a plan of commands and measures each: elapsed time, processor time, peak memory, exit status.
 *
 * Why a C program: the time between fork and wait must hold nothing but the command. A JavaScript engine adds
 * milliseconds of its own, gives the command its own peak memory to start from (ru_maxrss survives execve), and is
 * not told the processor time of one child.
 *
 *     spawn PLAN RESULTS SCRATCH TIMEOUT_MS
 *
 * PLAN holds tokens that each end in NUL. A sample is a number of lanes, of which CONCURRENCY run at a time; a lane
 * is a list of steps, one after another (see plan.ts, which writes it and reads RESULTS):
 *
 *     P text                        progress, shown on a terminal
 *     S concurrency lanes           a sample begins; then for each lane:
 *     L pidfile steps               a lane ("" for no pid file); then for each step:
 *     r argc arg...                 run a command and wait for it
 *     w                             wait for the process in pidfile to be gone
 *     c argc arg...                 run a command only when the lane failed before (cleaning up)
 *
 * RESULTS is text, one line a step and one a sample:
 *
 *     R sample lane step wall_ns user_us sys_us maxrss_kb minflt majflt nvcsw nivcsw status
 *     T sample wall_ns user_us sys_us      (processor time of everything reaped: commands and containers)
 *     E sample lane step status text       (a step failed; text is the head of its standard error)
 *
 * status is the exit code, 128 + signal, 127 for a command that can't be run, or -1 for a timeout. The program is a child
 * subreaper: a container whose creator has exited is its child, so that "gone" is an event and not a poll.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum state { READY, RUNNING, WAITING, DONE };

struct step {
	char kind;
	char **argv; /* ends in NULL; NULL itself for w */
};

struct lane {
	char *pidfile;
	struct step *steps;
	int count, current, failed;
	enum state state;
	pid_t pid;
	long long begun;
};

/* An orphan that was reaped before its lane asked for it. Enough for every orphan of a sample. */
#define REAPED_MAX 65536
static struct { pid_t pid; struct rusage usage; } reaped[REAPED_MAX];
static int reaped_count;

static FILE *results;
static int scratch; /* the commands' standard error */
static long timeout_ms;
static volatile sig_atomic_t expired;
static int sample;
static long long user_us, sys_us;
static char *environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };

static void die(const char *what)
{
	fprintf(stderr, "spawn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void on_alarm(int signal)
{
	(void)signal;
	expired = 1;
}

static void set_alarm(long ms)
{
	struct itimerval timer = { .it_value = { ms / 1000, ms % 1000 * 1000 } };
	expired = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
}

static long long microseconds(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

static void count_usage(const struct rusage *u)
{
	user_us += microseconds(u->ru_utime);
	sys_us += microseconds(u->ru_stime);
}

static void report(const struct lane *all, const struct lane *lane, long long wall, const struct rusage *u, int status)
{
	fprintf(results, "R %d %d %d %lld %lld %lld %ld %ld %ld %ld %ld %d\n", sample, (int)(lane - all), lane->current, wall,
		microseconds(u->ru_utime), microseconds(u->ru_stime), u->ru_maxrss, u->ru_minflt, u->ru_majflt, u->ru_nvcsw,
		u->ru_nivcsw, status);
}

static void report_failure(const struct lane *all, const struct lane *lane, int status, const char *text)
{
	char head[400];
	ssize_t length = 0;
	if (text == NULL) {
		length = pread(scratch, head, sizeof head - 1, 0);
		if (length < 0)
			length = 0;
		head[length] = 0;
		text = head;
	}
	fprintf(results, "E %d %d %d %d ", sample, (int)(lane - all), lane->current, status);
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' ? ' ' : *text, results);
	fputc('\n', results);
}

static pid_t read_pid(const char *path)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t length = read(fd, text, sizeof text - 1);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = 0;
	return atoi(text);
}

static int take_reaped(pid_t pid, struct rusage *usage)
{
	for (int i = 0; i < reaped_count; i++)
		if (reaped[i].pid == pid) {
			*usage = reaped[i].usage;
			reaped[i].pid = 0;
			return 1;
		}
	return 0;
}

static int launch(struct lane *lane, char **argv)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, scratch, 2);
	lane->begun = now();
	int error = posix_spawn(&lane->pid, argv[0], &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	lane->state = RUNNING;
	return error;
}

/* The lane's current step is over; begin its next, or end the lane. */
static void advance(struct lane *all, struct lane *lane);

static void fail(struct lane *all, struct lane *lane, int status, const char *text)
{
	if (!lane->failed)
		report_failure(all, lane, status, text);
	lane->failed = 1;
}

static void begin(struct lane *all, struct lane *lane)
{
	struct step *step = &lane->steps[lane->current];
	struct rusage usage;
	if (step->kind == 'w') {
		lane->begun = now();
		lane->state = WAITING;
		lane->pid = read_pid(lane->pidfile);
		memset(&usage, 0, sizeof usage);
		/* kill(2) also finds zombies: only a process that somebody else reaped is not found. */
		if (lane->pid <= 0)
			fail(all, lane, 1, "no pid file");
		else if (!take_reaped(lane->pid, &usage) && kill(lane->pid, 0) == 0)
			return;
		report(all, lane, now() - lane->begun, &usage, lane->failed);
		advance(all, lane);
		return;
	}
	int error = launch(lane, step->argv);
	if (error) {
		fail(all, lane, 127, strerror(error));
		advance(all, lane);
	}
}

static void advance(struct lane *all, struct lane *lane)
{
	while (++lane->current < lane->count)
		if ((lane->steps[lane->current].kind == 'c') == lane->failed) {
			begin(all, lane);
			return;
		}
	if (lane->failed && *lane->pidfile) {
		/* The runtime could not clean up: don't leave the container to the next sample. */
		pid_t pid = read_pid(lane->pidfile);
		if (pid > 1)
			kill(pid, SIGKILL);
	}
	lane->state = DONE;
}

static void expire(struct lane *all, int lanes)
{
	for (int i = 0; i < lanes; i++) {
		struct lane *lane = &all[i];
		if (lane->state == RUNNING) {
			fail(all, lane, -1, "timed out");
			kill(lane->pid, SIGKILL);
		} else if (lane->state == WAITING) {
			fail(all, lane, -1, "the container's process did not end in time");
			advance(all, lane);
		}
	}
	set_alarm(timeout_ms);
}

static void run_sample(struct lane *all, int lanes, int concurrency)
{
	int next = 0, active = 0;
	reaped_count = 0;
	user_us = sys_us = 0;
	if (ftruncate(scratch, 0) < 0)
		die("ftruncate");
	for (int i = 0; i < lanes; i++)
		if (*all[i].pidfile)
			unlink(all[i].pidfile);
	set_alarm(timeout_ms);
	long long begun = now();
	for (;;) {
		active = 0;
		for (int i = 0; i < next; i++)
			active += all[i].state != DONE;
		while (active < concurrency && next < lanes) {
			struct lane *lane = &all[next++];
			lane->current = -1;
			advance(all, lane);
			active += lane->state != DONE;
		}
		if (active == 0)
			break;
		int status;
		struct rusage usage;
		pid_t pid = wait4(-1, &status, __WALL, &usage);
		long long ended = now();
		if (pid < 0) {
			if (errno == EINTR && expired) {
				expire(all, lanes);
			} else if (errno == ECHILD) {
				/* A container that is not our child: a runtime kept it. Look again until it is gone. */
				struct rusage none;
				memset(&none, 0, sizeof none);
				if (expired)
					expire(all, lanes);
				usleep(100);
				for (int i = 0; i < next; i++)
					if (all[i].state == WAITING && kill(all[i].pid, 0) < 0) {
						report(all, &all[i], now() - all[i].begun, &none, 0);
						advance(all, &all[i]);
					}
			} else if (errno != EINTR) {
				die("wait4");
			}
			continue;
		}
		count_usage(&usage);
		int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		struct lane *lane = NULL;
		for (int i = 0; i < next && !lane; i++)
			if ((all[i].state == RUNNING || all[i].state == WAITING) && all[i].pid == pid)
				lane = &all[i];
		if (lane && lane->state == WAITING) {
			report(all, lane, ended - lane->begun, &usage, 0);
			advance(all, lane);
		} else if (lane) {
			report(all, lane, ended - lane->begun, &usage, code);
			if (code != 0 && lane->steps[lane->current].kind != 'c')
				fail(all, lane, code, NULL);
			advance(all, lane);
		} else if (reaped_count < REAPED_MAX) {
			reaped[reaped_count].pid = pid;
			reaped[reaped_count++].usage = usage;
		}
	}
	fprintf(results, "T %d %lld %lld %lld\n", sample, now() - begun, user_us, sys_us);
	set_alarm(0);
	/* Orphans that nobody waits for (killed above, or a runtime's own) must not disturb the next sample. */
	while (waitpid(-1, NULL, __WALL | WNOHANG) > 0)
		;
}

static FILE *plan;

/* The plan's next token, to be freed; NULL at its end. One sample is in memory at a time: ru_maxrss of a command begins
 * with the memory of the process that spawned it. */
static char *next_token(void)
{
	char *text = NULL;
	size_t size = 0;
	errno = 0;
	if (getdelim(&text, &size, 0, plan) >= 0)
		return text;
	free(text);
	if (errno)
		die("reading the plan");
	return NULL;
}

static char *token(void)
{
	char *text = next_token();
	if (text)
		return text;
	fprintf(stderr, "spawn: the plan ends early\n");
	exit(1);
}

static char kind(void)
{
	char *text = token();
	char first = *text;
	free(text);
	return first;
}

static int number(void)
{
	char *text = token();
	int value = atoi(text);
	free(text);
	return value;
}

static char **arguments(void)
{
	int count = number();
	char **argv = calloc(count + 1, sizeof *argv);
	if (!argv)
		die("calloc");
	for (int i = 0; i < count; i++)
		argv[i] = token();
	return argv;
}

static void free_arguments(char **argv)
{
	if (argv)
		for (char **arg = argv; *arg; arg++)
			free(*arg);
	free(argv);
}

static void read_sample(void)
{
	int concurrency = number(), lanes = number();
	struct lane *all = calloc(lanes, sizeof *all);
	if (!all)
		die("calloc");
	for (int i = 0; i < lanes; i++) {
		kind(); /* L */
		all[i].pidfile = token();
		all[i].count = number();
		all[i].steps = calloc(all[i].count, sizeof *all[i].steps);
		if (!all[i].steps)
			die("calloc");
		for (int k = 0; k < all[i].count; k++) {
			struct step *step = &all[i].steps[k];
			step->kind = kind();
			if (step->kind != 'w')
				step->argv = arguments();
		}
	}
	run_sample(all, lanes, concurrency);
	for (int i = 0; i < lanes; i++) {
		for (int k = 0; k < all[i].count; k++)
			free_arguments(all[i].steps[k].argv);
		free(all[i].steps);
		free(all[i].pidfile);
	}
	free(all);
#ifdef __GLIBC__
	malloc_trim(0); /* A sample of hundreds of lanes must not be in the peak of the next one's commands. */
#endif
	sample++;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: spawn PLAN RESULTS SCRATCH TIMEOUT_MS\n");
		return 2;
	}
	plan = fopen(argv[1], "re");
	if (!plan)
		die(argv[1]);
	results = fopen(argv[2], "we");
	if (!results)
		die(argv[2]);
	scratch = open(argv[3], O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (scratch < 0)
		die(argv[3]);
	timeout_ms = atol(argv[4]);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("prctl(PR_SET_CHILD_SUBREAPER)");
	struct sigaction action = { .sa_handler = on_alarm };
	sigaction(SIGALRM, &action, NULL);
	int terminal = isatty(2);
	for (char *text; (text = next_token()) != NULL; free(text)) {
		if (*text == 'P') {
			char *progress = token();
			if (terminal)
				fprintf(stderr, "\r\033[K%s", progress);
			free(progress);
		} else if (*text == 'S') {
			read_sample();
		} else {
			fprintf(stderr, "spawn: unknown token '%c' in the plan\n", *text);
			return 1;
		}
	}
	if (terminal)
		fprintf(stderr, "\r\033[K");
	return fclose(results) == 0 ? 0 : 1;
}
