import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AF,
  AT,
  BPF,
  CAP,
  CLONE,
  F,
  F_SEAL,
  FSCONFIG,
  MNT,
  MOUNT_ATTR,
  MS,
  O,
  OPEN_TREE,
  openFlags,
  PERSONALITY,
  PR,
  PR_CAP_AMBIENT,
  RESOLVE,
  RLIMIT,
  S,
  SECCOMP,
  SECCOMP_FILTER_FLAG,
  SIOC,
  SOCK,
  STATX,
  TIOC,
  W,
} from './constants/index.ts';
import { describeCall, formatOp, formatProgram, programToJson } from './format.ts';
import { addressOf, bytes, handed, Program, stringArray, valueIn, words } from './program.ts';
import type { SyscallName } from './syscalls.ts';

/** The line of one call. */
function line(name: SyscallName, args: readonly unknown[]): string {
  const program = new Program();
  program.call(name, args as never);
  return formatOp(program.ops[0]!);
}

test('arguments by the type of their parameter', () => {
  const program = new Program();
  const cell = program.cell('pid', 16);
  const cases: [SyscallName, unknown[], string][] = [
    [
      'mount',
      ['proc', '/proc', 'proc', MS.NOSUID | MS.NODEV, ''],
      'mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV, "")',
    ],
    ['mount', [null, '/a\n"b"', null, 0, 0], 'mount(NULL, "/a\\n\\"b\\"", NULL, 0, NULL)'],
    ['mount', ['', '', '', MS.RDONLY | 0x40000000], 'mount("", "", "", MS_RDONLY|0x40000000)'],
    ['umount2', ['.', MNT.DETACH | MNT.NOFOLLOW], 'umount2(".", MNT_DETACH|UMOUNT_NOFOLLOW)'],
    ['openat', [AT.FDCWD, 'x', O.RDONLY | O.CLOEXEC], 'openat(AT_FDCWD, "x", O_RDONLY|O_CLOEXEC)'],
    ['openat', [3, 'x', O.RDWR | O.CREAT | O.EXCL, 0o644], 'openat(3, "x", O_RDWR|O_CREAT|O_EXCL, 0644)'],
    ['openat', [3, 'x', O.PATH | O.DIRECTORY], 'openat(3, "x", O_DIRECTORY|O_PATH)'],
    ['openat', [3, 'x', O.TMPFILE | O.WRONLY | O.SYNC, 0], 'openat(3, "x", O_WRONLY|O_SYNC|O_TMPFILE, 0)'],
    ['dup3', [3, 4, O.CLOEXEC], 'dup3(3, 4, O_CLOEXEC)'],
    ['dup3', [handed('sync'), 4, 0], 'dup3(@sync, 4, 0)'],
    [
      'open_tree',
      [AT.FDCWD, '', OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.RECURSIVE],
      'open_tree(AT_FDCWD, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)',
    ],
    [
      'fsconfig',
      [3, FSCONFIG.SET_STRING, 'size', '1k', 0],
      'fsconfig(3, FSCONFIG_SET_STRING, "size", "1k", 0)',
    ],
    [
      'fsmount',
      [3, 1, MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOATIME],
      'fsmount(3, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOATIME)',
    ],
    ['fsmount', [3, 0, 0], 'fsmount(3, 0, MOUNT_ATTR_RELATIME)'],
    ['unshare', [CLONE.NEWNS | CLONE.NEWPID], 'unshare(CLONE_NEWNS|CLONE_NEWPID)'],
    ['setns', [handed('net'), CLONE.NEWNET], 'setns(@net, CLONE_NEWNET)'],
    ['unlinkat', [3, 'x', AT.REMOVEDIR], 'unlinkat(3, "x", AT_REMOVEDIR)'],
    [
      'faccessat2',
      [3, 'x', 5, AT.EACCESS | AT.EMPTY_PATH],
      'faccessat2(3, "x", X_OK|R_OK, AT_EACCESS|AT_EMPTY_PATH)',
    ],
    ['faccessat2', [3, 'x', 0, 0], 'faccessat2(3, "x", F_OK, 0)'],
    ['mknodat', [3, 'null', S.IFCHR | 0o666, 0x103], 'mknodat(3, "null", S_IFCHR|0666, makedev(1, 3))'],
    ['mknodat', [3, 'big', S.IFBLK, 0x10010301], 'mknodat(3, "big", S_IFBLK|0, makedev(259, 65537))'],
    ['mkdirat', [3, 'x', 0o755], 'mkdirat(3, "x", 0755)'],
    ['umask', [0], 'umask(0)'],
    [
      'statx',
      [3, '', AT.EMPTY_PATH, STATX.BASIC_STATS | STATX.MNT_ID, addressOf(cell)],
      'statx(3, "", AT_EMPTY_PATH, STATX_BASIC_STATS|STATX_MNT_ID, &pid)',
    ],
    ['prctl', [PR.SET_NO_NEW_PRIVS, 1], 'prctl(PR_SET_NO_NEW_PRIVS, 1)'],
    ['prctl', [PR.CAPBSET_DROP, CAP.SYS_ADMIN], 'prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)'],
    [
      'prctl',
      [PR.CAP_AMBIENT, PR_CAP_AMBIENT.RAISE, CAP.CHOWN],
      'prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN)',
    ],
    ['prctl', [PR.SET_PDEATHSIG, 9], 'prctl(PR_SET_PDEATHSIG, SIGKILL)'],
    ['prctl', [1000, 9], 'prctl(1000, 9)'],
    ['kill', [-1, 15], 'kill(-1, SIGTERM)'],
    ['kill', [valueIn(cell, 8), 40], 'kill(pid[+8], 40)'],
    [
      'fcntl',
      [3, F.ADD_SEALS, F_SEAL.SEAL | F_SEAL.WRITE],
      'fcntl(3, F_ADD_SEALS, F_SEAL_SEAL|F_SEAL_WRITE)',
    ],
    ['fcntl', [3, F.SETFD, 1], 'fcntl(3, F_SETFD, FD_CLOEXEC)'],
    ['fcntl', [3, F.SETFL, O.NONBLOCK], 'fcntl(3, F_SETFL, O_RDONLY|O_NONBLOCK)'],
    ['fcntl', [3, F.DUPFD_CLOEXEC, 100], 'fcntl(3, F_DUPFD_CLOEXEC, 100)'],
    ['ioctl', [0, TIOC.SCTTY, 0], 'ioctl(0, TIOCSCTTY, NULL)'],
    ['ioctl', [0, SIOC.SIFFLAGS, addressOf(cell, 8)], 'ioctl(0, SIOCSIFFLAGS, &pid[+8])'],
    ['ioctl', [0, 0x1234, 5], 'ioctl(0, 4660, 0x5)'],
    [
      'socket',
      [AF.UNIX, SOCK.SEQPACKET | SOCK.CLOEXEC, 0],
      'socket(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0)',
    ],
    [
      'prlimit64',
      [0, RLIMIT.NOFILE, words('rlimit', [1024, 2n ** 64n - 1n]), null],
      'prlimit64(0, RLIMIT_NOFILE, {rlim_cur=1024, rlim_max=RLIM_INFINITY}, NULL)',
    ],
    [
      'personality',
      [PERSONALITY.PER_LINUX32 | PERSONALITY.ADDR_NO_RANDOMIZE],
      'personality(PER_LINUX32|ADDR_NO_RANDOMIZE)',
    ],
    [
      'waitid',
      [1, valueIn(cell), null, W.EXITED | W.ALL, null],
      'waitid(P_PID, pid, NULL, WEXITED|__WALL, NULL)',
    ],
    [
      'seccomp',
      [SECCOMP.SET_MODE_FILTER, SECCOMP_FILTER_FLAG.LOG, bytes(Uint8Array.of(1))],
      'seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, <1 bytes: 01>)',
    ],
    ['bpf', [BPF.PROG_ATTACH, bytes(new Uint8Array(20), 'attr'), 20], 'bpf(BPF_PROG_ATTACH, attr, 20)'],
    ['write', [1, bytes(Buffer.from('max 5\n')), 6], 'write(1, "max 5\\n", 6)'],
    [
      'write',
      [1, bytes(new Uint8Array(17).fill(255)), 17],
      'write(1, <17 bytes: ffffffffffffffffffffffffffffffff...>, 17)',
    ],
    [
      'openat2',
      [handed('rootfs'), 'proc', words('open_how', [O.PATH | O.CLOEXEC, 0, RESOLVE.IN_ROOT]), 24],
      'openat2(@rootfs, "proc", {flags=O_CLOEXEC|O_PATH, resolve=RESOLVE_IN_ROOT}, 24)',
    ],
    [
      'openat2',
      [3, 'x', words('open_how', [O.CREAT, 0o600, 0]), 24],
      'openat2(3, "x", {flags=O_RDONLY|O_CREAT, mode=0600}, 24)',
    ],
    [
      'mount_setattr',
      [
        3,
        '',
        AT.EMPTY_PATH,
        words('mount_attr', [MOUNT_ATTR.NOATIME, MOUNT_ATTR._ATIME, MS.PRIVATE, handed('userns')]),
        32,
      ],
      'mount_setattr(3, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_NOATIME, attr_clr=MOUNT_ATTR__ATIME, propagation=MS_PRIVATE, userns_fd=@userns}, 32)',
    ],
    [
      'clone3',
      [
        words('clone_args', [
          BigInt(CLONE.NEWPID) | CLONE.INTO_CGROUP,
          addressOf(cell),
          0,
          0,
          17,
          0,
          0,
          0,
          0,
          0,
          handed('cgroup'),
        ]),
        88,
      ],
      'clone3({flags=CLONE_NEWPID|CLONE_INTO_CGROUP, pidfd=&pid, exit_signal=SIGCHLD, cgroup=@cgroup}, 88)',
    ],
    [
      'sendmsg',
      [3, words('msghdr', [0, 0, words('iovec', ['a', 1, 'bc', 2]), 2]), 0x4000],
      'sendmsg(3, {msg_iov={iov_base="a", iov_len=1, iov_base="bc", iov_len=2}, msg_iovlen=2}, MSG_NOSIGNAL)',
    ],
    [
      'execve',
      ['/bin/sh', stringArray(['sh', '-c', 'exit 1']), stringArray([])],
      'execve("/bin/sh", ["sh", "-c", "exit 1"], [])',
    ],
    ['write', [1, words('unknown', [1, 'x']), 16], 'write(1, unknown{1, "x"}, 16)'],
  ];
  for (const [name, args, expected] of cases) assert.equal(line(name, args), expected);
});

/** One of each kind of operation. */
function sample(): Program {
  const program = new Program();
  const [pid, status] = [program.cell('pid'), program.cell('status', 16)];
  const [child, gone, end] = [program.label('child'), program.label('gone'), program.label('end')];
  program.call('setsid', [], { note: 'a session of its own' });
  program.within('linux.namespaces', () => {
    program.call('clone3', [words('clone_args', [CLONE.NEWPID]), 64], {
      store: pid,
      tolerate: ['ENOSYS', 'EPERM'],
      goto: gone,
    });
    program.jumpIf(valueIn(pid), '==', 0, child, 'init');
    program.set(status, valueIn(pid), '<<', 2, 8);
    program.set(status, 1);
    program.jump(end);
    program.place(child);
    program.call('close', [handed('sync')], { tolerate: 'any' });
  });
  program.place(gone);
  program.fail('no namespaces', 0, 38, 'old kernel', 'linux.namespaces');
  program.reportTo(handed('exec'));
  program.place(end);
  program.notify(2, valueIn(pid));
  program.notify(3, 0, addressOf(status), valueIn(status));
  program.notify(4, 1, 'text', 2);
  program.fail();
  return program;
}

test('a program as lines', () => {
  assert.deepEqual(formatProgram(sample()), [
    '  setsid()  # a session of its own',
    '# linux.namespaces',
    '  clone3({flags=CLONE_NEWPID}, 64) -> pid ?ENOSYS,EPERM goto gone',
    '  if pid == 0 goto child         # init',
    '  status[+8] = pid << 2',
    '  status = 1',
    '  goto end',
    'child:',
    '  close(@sync) ?any',
    'gone:',
    '  fail("no namespaces", ENOSYS)  # old kernel',
    '# runts',
    '  report to @exec',
    'end:',
    '  notify(2, pid)',
    '  notify(3, 0, &status, status)',
    '  notify(4, 1, "text", 2)',
    '  fail()',
  ]);
});

test('every operation on a line of its own, with its field and note', () => {
  const [first, second, third] = sample().ops;
  assert.equal(formatOp(first!), 'setsid()  # a session of its own');
  assert.match(formatOp(second!), / goto gone {2}\[linux\.namespaces\]$/);
  assert.match(formatOp(third!), / goto child {2}\[linux\.namespaces\] {2}# init$/);
});

test('a label at the end is printed too', () => {
  const program = new Program();
  const label = program.label('end');
  program.jump(label);
  program.place(label);
  assert.deepEqual(formatProgram(program).slice(-2), ['  goto end', 'end:']);
});

test('flags are those of the machine that the program is for', () => {
  const program = new Program();
  program.call('openat', [3, 'x', openFlags('arm64').NOFOLLOW | openFlags('arm64').DIRECTORY]);
  assert.equal(
    formatOp(program.ops[0]!, { machine: 'arm64' }),
    'openat(3, "x", O_RDONLY|O_DIRECTORY|O_NOFOLLOW)',
  );
  assert.equal(
    formatOp(program.ops[0]!, { machine: 'x64' }),
    'openat(3, "x", O_RDONLY|O_DIRECT|O_LARGEFILE)',
  );
});

test('JSON', () => {
  const json = programToJson(sample());
  assert.deepEqual(json.cells, [
    { name: 'pid', size: 8 },
    { name: 'status', size: 16 },
  ]);
  assert.equal(json.operations.length, sample().ops.length);
  assert.deepEqual(JSON.parse(JSON.stringify(json.operations.slice(0, 4))), [
    { kind: 'syscall', note: 'a session of its own', text: 'setsid()', name: 'setsid', args: {} },
    {
      kind: 'syscall',
      field: 'linux.namespaces',
      text: 'clone3({flags=CLONE_NEWPID}, 64) -> pid ?ENOSYS,EPERM goto gone',
      name: 'clone3',
      args: { args: { text: '{flags=CLONE_NEWPID}' }, size: 64 },
      store: 'pid',
      tolerate: ['ENOSYS', 'EPERM'],
      goto: { label: 'gone', index: 7 },
    },
    {
      kind: 'jump',
      field: 'linux.namespaces',
      note: 'init',
      text: 'if pid == 0 goto child',
      goto: { label: 'child', index: 6 },
    },
    { kind: 'set', field: 'linux.namespaces', text: 'status[+8] = pid << 2', store: 'status[+8]' },
  ]);
  assert.deepEqual(json.operations[6]!.labels, ['child']);
  assert.deepEqual(json.operations[6]!.tolerate, ['any']);

  const program = new Program();
  program.call('mount', [null, '/proc', 'proc', MS.NOSUID, '']);
  assert.deepEqual(programToJson(program).operations[0]!.args, {
    source: null,
    target: '/proc',
    type: 'proc',
    flags: { text: 'MS_NOSUID' },
    data: '',
  });
});

test('a call for an error message: names replaced, long things cut, no environment', () => {
  const program = new Program();
  const target = program.cell('target');
  program.call('move_mount', [handed('mount'), '', valueIn(target), '', 0x44], {
    store: target,
    tolerate: ['EIO'],
  });
  program.call('execve', [
    `/${'x'.repeat(300)}`,
    stringArray(Array.from({ length: 20 }, (_, i) => `a${i}`)),
    stringArray(['SECRET=1', 'PATH=/bin']),
  ]);
  program.reportTo(handed('exec'));
  assert.equal(
    describeCall(program.ops[0]!, { mount: '"/source"', target: 9 }),
    'move_mount("/source", "", 9, "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)',
  );
  assert.equal(
    describeCall(program.ops[1]!),
    `execve("/${'x'.repeat(199)}"..., ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", ...], /* 2 variables */)`,
  );
  assert.equal(describeCall(program.ops[2]!), 'report to @exec');
});
