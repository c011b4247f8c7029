/**
 * checkpoint and restore: what was saved goes on where it was.
 *
 *     conformance/vm/run --package criu --package iptables --package iproute2 --env TMPDIR=/scratch -- \
 *       node --import tsx --test test/vm/checkpoint.test.ts
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type Bundle,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  temporaryFolder,
  uniqueId,
} from '../harness/index.ts';
import { COUNT, counter, countOf, countsBeyond, criuSkip, goesOn, save } from '../support/checkpoint.ts';
import { consoleSocket, Master } from '../support/console.ts';

const lacks = criuSkip();
const skip = lacks || privateWorld({ cgroups: 'v2' }).skip;
const MB = 1 << 20;

const cgroupOf = ({ config }: Bundle): string => `/sys/fs/cgroup${config.linux.cgroupsPath}`;

const all: Runtime[] = skip ? [{ name: 'runts', command: [] }] : runtimes();
const [runtime] = all as [Runtime];
const it = (name: string, body: (t: TestContext) => void | Promise<void>, reason = skip): void =>
  void test(name, { skip: reason }, body);

for (const each of all) {
  it(`${each.name}: a counter goes on counting`, async (t) => {
    const bundle = counter(t, {
      config: (spec) => {
        spec.linux.resources = { memory: { limit: 64 * MB }, pids: { limit: 20 } };
        spec.process.oomScoreAdj = 123;
      },
    });
    const saved = await save(t, each, bundle);
    const { s, id, images } = saved;
    assert.match(s.call(['state', id]).stderr, /does not exist/);
    assert.equal(existsSync(cgroupOf(bundle)), false);
    const descriptors = JSON.parse(readFileSync(join(images, 'descriptors.json'), 'utf8'));
    assert.equal(descriptors.length, 3);
    assert.equal(descriptors[0], '/dev/null');

    const pidFile = join(temporaryFolder(t), 'pid');
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    await goesOn(saved, bundle, ['--pid-file', pidFile]);
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mounts);
    const { pid } = s.state(id);
    assert.equal(readFileSync(pidFile, 'utf8'), String(pid));
    assert.match(readFileSync(`${cgroupOf(bundle)}/cgroup.procs`, 'utf8'), new RegExp(`^${pid}$`, 'm'));
    assert.equal(readFileSync(`${cgroupOf(bundle)}/memory.max`, 'utf8').trim(), String(64 * MB));
    assert.equal(readFileSync(`${cgroupOf(bundle)}/pids.max`, 'utf8').trim(), '20');
    assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim(), '123');
    // In all of its namespaces, the time namespace that CRIU makes among them.
    const show = ['exec', id, 'sh', '-c', 'hostname; cat /proc/1/comm; ls -l /proc/self/ns/time'];
    const [hostname, command, time] = s.ok(show).split('\n');
    assert.deepEqual([hostname, command], ['test', 'sh']);
    assert.ok(time?.endsWith(readlinkSync(`/proc/${pid}/ns/time`)), time);

    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);
  });
}

it('again and again, from a container that was restored', async (t) => {
  const bundle = counter(t);
  const saved = await save(t, runtime, bundle);
  await goesOn(saved, bundle);
  const { s, id } = saved;
  const images = join(temporaryFolder(t), 'second');
  s.ok(['checkpoint', '--image-path', images, id]);
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle);
});

it('--leave-running: it runs on, and can be restored later', async (t) => {
  const bundle = counter(t);
  const saved = await save(t, runtime, bundle, ['--leave-running']);
  const { s, id } = saved;
  assert.equal(s.state(id).status, 'running');
  const count = await countsBeyond(bundle, saved.count);
  const { code, output } = s.restore(bundle, { id, flags: ['--image-path', saved.images] });
  assert.equal(code, 1);
  assert.match(output(), /container with given ID already exists/);
  s.ok(['delete', '--force', id]);
  // Back to where it was saved.
  writeFileSync(join(bundle.rootfs, 'tmp/count'), '0');
  await goesOn({ ...saved, count: 0 }, bundle);
  assert.ok(countOf(bundle) <= count + 20, `${countOf(bundle)} after ${count}`);
});

it('what exec started is not in it, and that is said', async (t) => {
  const bundle = counter(t);
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  await countsBeyond(bundle, 2);
  s.ok(['exec', '--detach', id, 'sh', '-c', 'exec sleep 1000 </dev/null >/dev/null 2>&1']);
  const images = join(temporaryFolder(t), 'images');
  const { code, stderr } = s.call(['checkpoint', '--image-path', images, id]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /the checkpoint is without what exec started in the container: \d+ \\"\w+\\""\n/);
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle);
  assert.doesNotMatch(s.ok(['ps', id]), /sleep 1000/);
});

it('a paused container stays paused when it is left running', async (t) => {
  const bundle = counter(t);
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  await countsBeyond(bundle, 2);
  s.ok(['pause', id]);
  const count = countOf(bundle);
  const images = join(temporaryFolder(t), 'images');
  s.ok(['checkpoint', '--image-path', images, '--leave-running', id]);
  assert.equal(s.state(id).status, 'paused');
  s.ok(['resume', id]);
  await countsBeyond(bundle, count);
  s.ok(['pause', id]);
  s.ok(['checkpoint', '--image-path', images, id]);
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle);
});

it('hooks: prestart and createRuntime when it is restored, poststop when it is saved', async (t) => {
  const notes = join(temporaryFolder(t), 'notes');
  const hook = (name: string) => ({
    path: '/bin/sh',
    args: ['sh', '-c', `echo ${name} $(sed 's/.*"status":"\\([a-z]*\\)".*/\\1/') >>${notes}`],
  });
  const bundle = counter(t, {
    config: (spec) => {
      spec.hooks = {
        prestart: [hook('prestart')],
        createRuntime: [hook('createRuntime')],
        poststart: [hook('poststart')],
        poststop: [hook('poststop')],
      };
    },
  });
  const saved = await save(t, runtime, bundle);
  assert.match(readFileSync(notes, 'utf8'), /poststart running\npoststop stopped\n$/);
  writeFileSync(notes, '');
  await goesOn(saved, bundle);
  assert.equal(readFileSync(notes, 'utf8'), 'prestart created\ncreateRuntime creating\n');
});

it('a hook that fails, and nothing is left', async (t) => {
  const bundle = counter(t);
  const { s, id, images } = await save(t, runtime, bundle);
  bundle.config.hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'echo no >&2; exit 3'] }] };
  bundle.save();
  const { code, output } = s.restore(bundle, { id, flags: ['--image-path', images] });
  assert.equal(code, 1);
  assert.match(output(), /createRuntime.*exit status 3.*no/);
  assert.match(s.call(['state', id]).stderr, /does not exist/);
  assert.equal(existsSync(cgroupOf(bundle)), false);
});

it('mounts from the host come from where the config says, nested ones and behind symlinks too', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['a/deep', 'b', 'other']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'file'), 'before');
  spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', join(folder, 'a/deep')]);
  t.after(() => spawnSync('umount', [join(folder, 'a/deep')]));
  writeFileSync(join(folder, 'a/deep/x'), 'deep');
  const bind = (destination: string, source: string, ...options: string[]) => ({
    destination,
    type: 'bind',
    source: join(folder, source),
    options: ['rbind', ...options],
  });
  const bundle = counter(t, {
    config: (spec) => {
      spec.mounts.push(
        bind('/data', 'a'),
        bind('/data/b', 'b', 'ro'),
        bind('/var/run/file', 'file'),
        bind('/etc/made/here', 'file'),
      );
      spec.mounts.push({ destination: '/scratch', type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] });
    },
    script: `echo kept >/scratch/note; ${COUNT}`,
  });
  symlinkSync('../run', join(bundle.rootfs, 'var/run'));
  const saved = await save(t, runtime, bundle);
  writeFileSync(join(folder, 'file'), 'after');
  bundle.config.mounts.find(({ destination }) => destination === '/data/b')!.source = join(folder, 'other');
  bundle.save();
  writeFileSync(join(folder, 'other/new'), 'other');
  await goesOn(saved, bundle);
  const { s, id } = saved;
  const script =
    'cat /data/deep/x /data/b/new /run/file /etc/made/here /scratch/note; touch /data/b/y || echo ro; ' +
    'ls /proc/acpi /sys/firmware | wc -l; cat /proc/keys | wc -c; touch /proc/sys/kernel/x || echo ro';
  const { stdout } = s.call(['exec', id, 'sh', '-c', script]);
  assert.match(stdout, /^deepotherafterafterkept\nro\n\d+\n0\nro\n$/);
});

it('on a host whose mounts are shared, as systemd has them', async (t) => {
  spawnSync('mount', ['--make-rshared', '/']);
  t.after(() => spawnSync('mount', ['--make-rprivate', '/']));
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), 'shared');
  for (const propagation of [[], ['rprivate'], ['rslave']]) {
    const options = ['rbind', ...propagation];
    const bundle = counter(t, {
      config: (spec) => {
        spec.mounts.push({ destination: '/data', type: 'bind', source: folder, options });
      },
    });
    const saved = await save(t, runtime, bundle);
    await goesOn(saved, bundle);
    assert.equal(saved.s.ok(['exec', saved.id, 'cat', '/data/file']), 'shared');
  }
});

it('--work-path: logs are there, behind a link too, and the images elsewhere', async (t) => {
  const folder = temporaryFolder(t);
  const [work, link] = [join(folder, 'work'), join(folder, 'link')];
  symlinkSync(work, link);
  const bundle = counter(t);
  const saved = await save(t, runtime, bundle, ['--work-path', work]);
  assert.ok(existsSync(join(work, 'dump.log')));
  assert.ok(!existsSync(join(saved.images, 'dump.log')));
  // As containerd gives it.
  await goesOn(saved, bundle, ['--work-path', link]);
  assert.ok(existsSync(join(work, 'restore.log')));
});

it('--manage-cgroups-mode: cgroups below it are restored, or ignored', async (t) => {
  const bundle = counter(t, {
    script: `mkdir /sys/fs/cgroup/below; (echo 0 >/sys/fs/cgroup/below/cgroup.procs; ${COUNT}); sleep 1000`,
    config: (spec) => {
      spec.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['rw'] });
    },
  });
  const saved = await save(t, runtime, bundle);
  await goesOn(saved, bundle);
  assert.match(readFileSync(`${cgroupOf(bundle)}/below/cgroup.procs`, 'utf8'), /^\d+$/m);
  const { s, id } = saved;
  const images = join(temporaryFolder(t), 'ignored');
  s.ok(['checkpoint', '--manage-cgroups-mode', 'ignore', '--image-path', images, id]);
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle, ['--manage-cgroups-mode', 'ignore']);
});

it('in a user namespace, with a seccomp filter', async (t) => {
  const bundle = counter(t, {
    config: (spec) => {
      spec.linux.namespaces.push({ type: 'user' });
      spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
      spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
      // sysfs of the host's network is not its own
      spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/sys');
      spec.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['chroot'], action: 'SCMP_ACT_ERRNO' }],
      };
    },
  });
  spawnSync('chown', ['-R', '100000:100000', bundle.rootfs]);
  for (let path = bundle.rootfs; path !== '/'; path = join(path, '..')) spawnSync('chmod', ['a+x', path]);
  const saved = await save(t, runtime, bundle);
  await goesOn(saved, bundle);
  const { s, id } = saved;
  assert.match(readFileSync(`/proc/${s.state(id).pid}/status`, 'utf8'), /^Seccomp:\s+2$/m);
  assert.notEqual(s.call(['exec', id, 'busybox', 'chroot', '/', 'true']).code, 0);
  assert.match(s.ok(['exec', id, 'cat', '/proc/self/uid_map']), /100000/);
});

it('in the foreground: signals and the exit code are the container’s', async (t) => {
  const bundle = counter(t, { script: `trap 'exit 42' TERM; ${COUNT}` });
  const s = session(t, runtime);
  const folder = temporaryFolder(t);
  const [images, id] = [join(folder, 'images'), uniqueId()];
  /** With files, as half of a socket pair can't be saved. */
  const foreground = (...args: string[]): { child: ChildProcess; ended: Promise<number | null> } => {
    const [file, ...first] = runtime.command as [string, ...string[]];
    const output = openSync(join(folder, 'output'), 'a');
    const child = spawn(file, [...first, '--root', s.root, ...args, '--bundle', bundle.path, id], {
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    t.after(() => child.kill('SIGKILL'));
    return { child, ended: new Promise((resolve) => child.on('exit', resolve)) };
  };
  const first = foreground('run');
  await countsBeyond(bundle, 2);
  s.ok(['checkpoint', '--image-path', images, id]);
  assert.equal(await first.ended, 137, readFileSync(join(folder, 'output'), 'utf8'));
  const count = countOf(bundle);
  const second = foreground('restore', '--image-path', images);
  await countsBeyond(bundle, count);
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 42, readFileSync(join(folder, 'output'), 'utf8'));
  await s.waitFor(id, 'gone');
});

it('a terminal goes to whoever asks for it, with what was in it', async (t) => {
  const bundle = counter(t, {
    script: `(${COUNT}) & while read line; do echo "got $line"; done`,
    config: (spec) => {
      spec.process.terminal = true;
    },
  });
  const s = session(t, runtime);
  const first = await consoleSocket(t, 'first');
  const { id, code, output } = s.detach(bundle, { flags: ['--console-socket', first.path] });
  assert.equal(code, 0, output());
  const before = new Master((await first.message).fds[0]!);
  writeSync(before.fd, 'one\n');
  await before.sees('got one');
  await countsBeyond(bundle, 2);
  const images = join(temporaryFolder(t), 'images');
  s.ok(['checkpoint', '--image-path', images, id]);
  closeSync(before.fd);
  const refused = s.restore(bundle, { flags: ['--image-path', images] });
  assert.match(refused.output(), /cannot allocate tty .*without setting console socket/);
  const second = await consoleSocket(t, 'second');
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle, ['--console-socket', second.path]);
  const { data, fds } = await second.message;
  assert.match(data, /ptmx/);
  const after = new Master(fds[0]!);
  writeSync(after.fd, 'two\n');
  await after.sees('got two');
  closeSync(after.fd);
});

it('folders that can’t be used', async (t) => {
  const bundle = counter(t);
  const folder = temporaryFolder(t);
  const tmpfs = (name: string, options: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
    t.after(() => spawnSync('umount', [path]));
    return path;
  };
  const cases: [string, RegExp][] = [
    [join(folder, 'no/such'), /mkdir .*no\/such: no such file or directory \(its parent folder must exist\)/],
    [tmpfs('ro', 'ro'), /write .*ro.*: read-only file system \(choose a writable folder with --image-path\)/],
    [tmpfs('full', 'size=64k'), /full.*: no space left on device \(make room/],
  ];
  // After the mounts, which are there until it has ended.
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  await countsBeyond(bundle, 2);
  for (const [path, message] of cases) {
    const { code, stderr } = s.call(['checkpoint', '--image-path', path, id]);
    assert.equal(code, 1, path);
    assert.match(stderr, message);
    assert.equal(s.state(id).status, 'running');
    await countsBeyond(bundle, countOf(bundle));
  }
  s.ok(['delete', '--force', id]);
  const { code, output } = s.restore(bundle, { flags: ['--image-path', join(folder, 'none')] });
  assert.equal(code, 1);
  assert.match(
    output(),
    /stat .*none\/inventory\.img: no such file or directory \(no checkpoint is there: .*--image-path\)/,
  );
  const images = join(folder, 'part');
  mkdirSync(images);
  writeFileSync(join(images, 'descriptors.json'), '["","",""]');
  const empty = s.restore(bundle, { flags: ['--image-path', images] });
  assert.match(empty.output(), /stat .*part\/inventory\.img: no such file or directory/);
  writeFileSync(join(images, 'inventory.img'), '');
  const damaged = s.restore(bundle, { flags: ['--image-path', images] });
  assert.match(damaged.output(), /criu failed to restore: .*; its log: .*part\/restore\.log/);
  assert.match(s.call(['state', damaged.id]).stderr, /does not exist/);
  assert.match(s.call(['state', empty.id]).stderr, /does not exist/);
});

it('without CRIU, or with one that is none', (t) => {
  const bundle = counter(t);
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  const images = join(temporaryFolder(t), 'images');
  const criu = spawnSync('sh', ['-c', 'command -v criu'], { encoding: 'utf8' }).stdout.trim();
  const path = `${temporaryFolder(t)}/bin`;
  mkdirSync(path);
  spawnSync('mount', ['--bind', '/dev/null', criu]);
  try {
    const { code, stderr } = s.call(['checkpoint', '--image-path', images, id]);
    assert.equal(code, 1);
    assert.match(stderr, /criu: executable file not found in \$PATH \(.*apt-get install criu/);
    writeFileSync(join(path, 'criu'), '#!/bin/sh\necho what is swrk >&2; exit 1\n', { mode: 0o755 });
    const env = { ...process.env, PATH: path } as Record<string, string>;
    const old = s.call(['checkpoint', '--image-path', images, id], { env });
    assert.match(old.stderr, /criu is too old: what is swrk \(version 3\.0 or later is needed\)/);
    assert.equal(s.state(id).status, 'running');
  } finally {
    spawnSync('umount', [criu]);
  }
});

it('containers that are not running', async (t) => {
  const bundle = counter(t);
  const s = session(t, runtime);
  const { id } = s.create(bundle);
  assert.match(s.call(['checkpoint', id]).stderr, /container cannot be checkpointed in created state/);
  s.ok(['kill', id, 'KILL']);
  await s.waitFor(id, 'stopped');
  assert.match(s.call(['checkpoint', id]).stderr, /container cannot be checkpointed in stopped state/);
  assert.match(s.call(['checkpoint', 'nobody']).stderr, /container does not exist/);
});
