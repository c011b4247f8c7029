/*
 * The first process of the test VM, static, started by the kernel as /init of the initramfs.
 *
 * 1. Loads the modules of the initramfs, says "ready" on the control port, and waits for a request. The host
 *    snapshots the machine here: what follows is all that a later run has to do.
 * 2. Makes the root: the host's / (9p, read-only), under it nothing, over it an optional layer of packages and a
 *    tmpfs for what is written (overlayfs).
 * 3. Becomes the system's first process itself, or executes systemd, whose unit runs `init command`.
 * 4. Runs the requested command with its output relayed to the ports, reports the exit status, switches off.
 *
 *
 * `init counter` is for the host: see measure_counter.
 *
 * Control port, guest to host: lines "ready", "go UPTIME", "start UPTIME", "exit STATUS".
 * Host to guest: the request's length in decimal, a newline, and the request: "key=value" items, each ended by NUL.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/fs.h>
#include <linux/random.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT_OUT = 1, PORT_ERR = 2, PORT_CONTROL = 3, PORT_IN = 4 };

#define NINE_P "trans=virtio,version=9p2000.L,msize=524288,access=any"

static char *request; /* items, each ended by NUL */
static size_t request_size;

/* ---- small tools ---- */

static void complain(const char *what) {
  /* Before systemd's time and in direct mode this is the console, which the host shows when a run fails. */
  dprintf(2, "vm init: %s: %s\n", what, strerror(errno));
}

static void power_off(void) {
  sync();
  reboot(RB_POWER_OFF);
  _exit(1);
}

static __attribute__((noreturn)) void give_up(const char *what) {
  complain(what);
  power_off();
  _exit(1);
}

static void make_dirs(const char *path) {
  char copy[4096];
  snprintf(copy, sizeof copy, "%s", path);
  for (char *c = copy + 1; *c; c++) {
    if (*c != '/') continue;
    *c = 0;
    mkdir(copy, 0755);
    *c = '/';
  }
  mkdir(copy, 0755);
}

static int attach(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
  make_dirs(target);
  int result = mount(source, target, type, flags, data);
  if (result) complain(target);
  return result;
}

static void write_file(const char *path, const char *data, size_t size, int mode) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0 || write(fd, data, size) < 0) complain(path);
  if (fd >= 0) close(fd);
}

static void put(const char *path, const char *text) { write_file(path, text, strlen(text), 0644); }

/* The whole file with a NUL after it, from malloc; an empty string when it can't be read. */
static char *read_file(const char *path, size_t *size) {
  size_t length = 0, room = 4096;
  char *data = malloc(room);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  for (;;) {
    ssize_t n = fd < 0 ? 0 : read(fd, data + length, room - length - 1);
    if (n <= 0) break;
    length += n;
    if (room - length < 2) data = realloc(data, room *= 2);
  }
  if (fd >= 0) close(fd);
  data[length] = 0;
  if (size) *size = length;
  return data;
}

static void copy_file(const char *from, const char *to, int mode) {
  size_t size;
  char *data = read_file(from, &size);
  write_file(to, data, size, mode);
  free(data);
}

/* The next item with this key after `*cursor` (NULL to begin); its value. */
static const char *next_item(const char *key, const char **cursor) {
  size_t length = strlen(key);
  const char *at = *cursor ? *cursor : request;
  while (at < request + request_size) {
    const char *item = at;
    at += strlen(at) + 1;
    *cursor = at;
    if (!strncmp(item, key, length) && item[length] == '=') return item + length + 1;
  }
  return NULL;
}

static const char *item(const char *key) {
  const char *cursor = NULL;
  return next_item(key, &cursor);
}

static int open_port(int number, int flags) {
  char pattern[32];
  /* The device's number depends on how many other ones there are. */
  snprintf(pattern, sizeof pattern, "/dev/vport*p%d", number);
  for (int i = 0; i < 2500; i++) {
    glob_t found;
    int fd = glob(pattern, 0, NULL, &found) ? -1 : open(found.gl_pathv[0], flags | O_CLOEXEC);
    globfree(&found);
    if (fd >= 0) return fd;
    usleep(2000);
  }
  give_up(pattern);
}

static void report(int control, const char *word) {
  char *uptime = read_file("/proc/uptime", NULL);
  dprintf(control, "%s %.*s\n", word, (int)strcspn(uptime, " "), uptime);
  free(uptime);
}

/* ---- before the root is there ---- */

static void load_modules(void) {
  struct dirent **names;
  int count = scandir("/modules", &names, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    char path[512];
    if (names[i]->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    /* MODULE_INIT_COMPRESSED_FILE: newer Debian kernels come with .ko.xz */
    int compressed = strcmp(path + strlen(path) - 3, ".ko") ? 4 : 0;
    if (syscall(SYS_finit_module, fd, "", compressed) && errno != EEXIST) complain(path);
    close(fd);
  }
}

/* A port whose other end isn't connected reads as ended: the host may still be on its way. */
static void read_fully(int fd, char *to, size_t size) {
  while (size > 0) {
    ssize_t n = read(fd, to, size);
    if (n < 0 && errno != EINTR && errno != EAGAIN) give_up("control port");
    if (n <= 0) {
      usleep(2000);
      continue;
    }
    to += n;
    size -= n;
  }
}

static void receive_request(void) {
  int control = open_port(PORT_CONTROL, O_RDWR);
  dprintf(control, "ready\n");
  for (char digit = 0; ; ) {
    read_fully(control, &digit, 1);
    if (digit == '\n') break;
    request_size = request_size * 10 + (digit - '0');
  }
  request = malloc(request_size + 1);
  read_fully(control, request, request_size);
  report(control, "go");
  close(control);
}

/* A restored snapshot has the time and the random generator of the moment when it was taken. */
static void renew(void) {
  const char *clock = item("clock"), *seed = item("seed");
  if (clock) {
    char *fraction;
    struct timespec now = {.tv_sec = strtoll(clock, &fraction, 10)};
    if (*fraction == '.') now.tv_nsec = atol(fraction + 1);
    if (clock_settime(CLOCK_REALTIME, &now)) complain("clock");
  }
  if (seed) {
    int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
    if (write(fd, seed, strlen(seed)) < 0 || ioctl(fd, RNDRESEEDCRNG)) complain("random seed");
    close(fd);
  }
}

/* The block cache too is of the snapshot's time. */
static void forget_blocks(const char *device) {
  int fd = open(device, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ioctl(fd, BLKFLSBUF, 0)) complain(device);
  if (fd >= 0) close(fd);
}

static void link_modules(void) {
  const char *folder = item("modules");
  if (!folder) return;
  char *release = read_file("/proc/sys/kernel/osrelease", NULL), path[512];
  release[strcspn(release, "\n")] = 0;
  make_dirs("/root/usr/lib/modules");
  snprintf(path, sizeof path, "/root/usr/lib/modules/%s", release);
  if (symlink(folder, path) && errno != EEXIST) complain(path);
  free(release);
}

/* systemd's own units in /run: ours, and /dev/null for those that only cost time here. */
static void prepare_systemd(void) {
  char from[512], to[512];
  make_dirs("/root/run/systemd/system");
  make_dirs("/root/run/tmpfiles.d");
  struct dirent *entry;
  DIR *units = opendir("/units");
  while (units && (entry = readdir(units))) {
    if (entry->d_name[0] == '.') continue;
    snprintf(from, sizeof from, "/units/%s", entry->d_name);
    snprintf(to, sizeof to, "/root/run/systemd/system/%s", entry->d_name);
    copy_file(from, to, 0644);
  }
  char *masks = read_file("/masked-units", NULL);
  for (char *name = strtok(masks, "\n"); name; name = strtok(NULL, "\n")) {
    snprintf(to, sizeof to, "/root/run/%s", name);
    if (symlink("/dev/null", to)) complain(to);
  }
}

static void make_root(void) {
  if (attach("host", "/host", "9p", MS_RDONLY | MS_NOATIME, NINE_P ",cache=loose")) give_up("the host's root");
  const char *lower = "/host", *layer = item("layer");
  /* overlayfs refuses a lower layer that lies within another, hence an export of its own */
  if (layer && !attach("layer", "/layer", "9p", MS_RDONLY | MS_NOATIME, NINE_P ",cache=loose"))
    lower = "/layer:/host";
  attach("written", "/written", "tmpfs", 0, "mode=755,size=80%");
  mkdir("/written/upper", 0755);
  mkdir("/written/work", 0755);
  char data[256];
  snprintf(data, sizeof data, "lowerdir=%s,upperdir=/written/upper,workdir=/written/work,redirect_dir=on,metacopy=on",
           lower);
  if (attach("overlay", "/root", "overlay", 0, data)) give_up("overlay");
  attach("run", "/root/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
  /* Else systemd takes the machine for a container. */
  unlink("/root/.dockerenv");
  link_modules();
  make_dirs("/root/run/vm");
  write_file("/root/run/vm/request", request, request_size, 0600);
  copy_file("/init", "/root/run/vm/init", 0755);
}

static void enter_root(void) {
  static const char *const moved[] = {"/dev", "/proc", "/sys"};
  for (int i = 0; i < 3; i++) {
    char target[64];
    snprintf(target, sizeof target, "/root%s", moved[i]);
    attach(moved[i], target, NULL, MS_MOVE, NULL);
  }
  if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/")) give_up("the new root");
}

/* ---- in the root ---- */

/* What systemd does otherwise. */
static void prepare_system(void) {
  attach("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
  attach("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
  attach("mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  attach("hugetlbfs", "/dev/hugepages", "hugetlbfs", 0, NULL);
  attach("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
  attach("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
  attach("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate,memory_recursiveprot");
  char *controllers = read_file("/sys/fs/cgroup/cgroup.controllers", NULL), word[64];
  for (char *name = strtok(controllers, " \n"); name; name = strtok(NULL, " \n")) {
    snprintf(word, sizeof word, "+%s", name);
    put("/sys/fs/cgroup/cgroup.subtree_control", word);
  }
  static const char *const links[][2] = {
      {"/proc/self/fd", "/dev/fd"}, {"fd/0", "/dev/stdin"}, {"fd/1", "/dev/stdout"}, {"fd/2", "/dev/stderr"}};
  for (int i = 0; i < 4; i++)
    if (symlink(links[i][0], links[i][1]) && errno != EEXIST) complain(links[i][1]);
  make_dirs("/run/lock");
  make_dirs("/run/user");
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq interface = {.ifr_name = "lo"};
  ioctl(fd, SIOCGIFFLAGS, &interface);
  interface.ifr_flags |= IFF_UP;
  if (ioctl(fd, SIOCSIFFLAGS, &interface)) complain("lo");
  close(fd);
  struct rlimit files = {1024, 524288};
  if (setrlimit(RLIMIT_NOFILE, &files)) complain("RLIMIT_NOFILE");
  if (mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL)) complain("shared propagation");
}

static void attach_disks(void) {
  const char *cursor = NULL, *path;
  for (int i = 0; (path = next_item("share", &cursor)); i++) {
    char tag[16];
    snprintf(tag, sizeof tag, "share%d", i);
    attach(tag, path, "9p", 0, NINE_P ",cache=mmap");
  }
  const char *scratch = item("scratch");
  if (!scratch) return;
  forget_blocks(scratch);
  if (attach(scratch, "/scratch", "ext4", MS_NOATIME, "discard,nobarrier")) return;
  chmod("/scratch", 0755);
  /* Image stores put overlayfs on their files, which can't lie on an overlay. */
  static const char *const stores[] = {"docker", "containerd", "containers"};
  for (int i = 0; i < 3; i++) {
    char from[64], to[64];
    snprintf(from, sizeof from, "/scratch/%s", stores[i]);
    snprintf(to, sizeof to, "/var/lib/%s", stores[i]);
    make_dirs(from);
    attach(from, to, NULL, MS_BIND, NULL);
  }
}

static __attribute__((noreturn)) void execute(void) {
  static char *arguments[4096];
  int count = 0;
  const char *cursor = NULL, *value;
  clearenv();
  setenv("HOME", "/root", 1);
  setenv("USER", "root", 1);
  setenv("LANG", "C.UTF-8", 1);
  while ((value = next_item("env", &cursor))) putenv((char *)value);
  for (cursor = NULL; count < 4095 && (value = next_item("arg", &cursor));) arguments[count++] = (char *)value;
  if (!item("cwd") || chdir(item("cwd")))
    if (chdir("/")) complain("/");
  execvp(arguments[0], arguments);
  complain(arguments[0]);
  _exit(errno == ENOENT ? 127 : 126);
}

/* Passes on what is there. False at the end of the input, and when a non-blocking input has nothing. */
static int relay(int from, int to) {
  static char data[65536];
  ssize_t n = read(from, data, sizeof data);
  for (ssize_t done = 0; done < n;) {
    ssize_t w = write(to, data + done, n - done);
    if (w > 0) done += w;
    else if (errno == EINTR || errno == EAGAIN) usleep(1000);
    else return 0;
  }
  return n > 0;
}

static __attribute__((noreturn)) void run_command(void) {
  int control = open_port(PORT_CONTROL, O_WRONLY);
  int merged = item("merge") != NULL, status, result = -1;
  int ports[2] = {open_port(PORT_OUT, O_WRONLY), open_port(PORT_ERR, O_WRONLY)}, out[2], err[2];
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_ended, NULL);
  int ended = signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) give_up("pipe");
  report(control, "start");
  pid_t child = fork();
  if (child == 0) {
    sigprocmask(SIG_UNBLOCK, &child_ended, NULL);
    setsid();
    dup2(item("stdin") ? open_port(PORT_IN, O_RDONLY) : open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    dup2(out[1], 1);
    dup2(merged ? out[1] : err[1], 2);
    execute();
  }
  close(out[1]);
  close(err[1]);
  struct pollfd watched[3] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}, {ended, POLLIN, 0}};
  while (result < 0) {
    poll(watched, 3, -1);
    for (int i = 0; i < 2; i++)
      if (watched[i].revents && !relay(watched[i].fd, ports[i])) watched[i].fd = -1;
    if (!watched[2].revents) continue;
    struct signalfd_siginfo info;
    while (read(ended, &info, sizeof info) > 0);
    /* As the first process this one also inherits orphans. */
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
      if (pid == child) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /* What the command wrote last; a process that it left behind may keep the pipe open. */
  for (int i = 0; i < 2; i++) {
    if (watched[i].fd < 0) continue;
    fcntl(watched[i].fd, F_SETFL, O_NONBLOCK);
    while (relay(watched[i].fd, ports[i]));
  }
  dprintf(control, "exit %d\n", result);
  power_off();
  _exit(0);
}

/* On the host: the frequency of the time stamp counter in kHz, over a tenth of a second. */
static void measure_counter(void) {
  struct timespec from, to, pause = {0, 100 * 1000 * 1000};
  clock_gettime(CLOCK_MONOTONIC_RAW, &from);
  unsigned long long begin = __builtin_ia32_rdtsc();
  nanosleep(&pause, NULL);
  clock_gettime(CLOCK_MONOTONIC_RAW, &to);
  unsigned long long end = __builtin_ia32_rdtsc();
  double milliseconds = (to.tv_sec - from.tv_sec) * 1e3 + (to.tv_nsec - from.tv_nsec) / 1e6;
  printf("%.0f\n", (end - begin) / milliseconds);
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "counter")) {
    measure_counter();
    return 0;
  }
  if (argc > 1 && !strcmp(argv[1], "command")) {
      request = read_file("/run/vm/request", &request_size);
    attach_disks();
    run_command();
  }
  if (getpid() != 1) return 1;
  umask(0);
  attach("dev", "/dev", "devtmpfs", 0, NULL);
  attach("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  attach("sys", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  umask(022);
  put("/proc/sys/kernel/hostname", "vm");
  load_modules();
  receive_request();
  renew();
  make_root();
  if (item("systemd")) {
    prepare_systemd();
    enter_root();
    execl("/lib/systemd/systemd", "/lib/systemd/systemd", "--unit=vm.target", NULL);
    give_up("/lib/systemd/systemd");
  }
  enter_root();
  setsid();
  prepare_system();
  attach_disks();
  run_command();
}
