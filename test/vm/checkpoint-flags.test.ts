/**
 * checkpoint and restore: what CRIU has a flag for.
 *
 *     conformance/vm/run --package criu --package iptables --package iproute2 --package apparmor --env TMPDIR=/scratch -- \
 *       node --import tsx --test test/vm/checkpoint-flags.test.ts
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { securityModules } from '../../src/linux/security.ts';
import { hasCommand, session, temporaryFolder, uniqueId } from '../harness/index.ts';
import {
  COUNT,
  checkpointTests,
  copyProgram,
  counter,
  countOf,
  countsBeyond,
  goesOn,
  save,
} from '../support/checkpoint.ts';

const { runtime, it } = checkpointTests();

it('what CRIU has a flag for, and what it says without', async (t) => {
  const s = session(t, runtime);
  const images = join(temporaryFolder(t), 'images');
  const flock = counter(t, { script: `exec 9>/tmp/lock; flock 9; ${COUNT}` });
  copyProgram('flock', flock.rootfs);
  const { id, output } = s.detach(flock);
  await countsBeyond(flock, 2);
  const refused = s.call(['checkpoint', '--image-path', images, id]);
  assert.equal(refused.code, 1, output());
  assert.match(refused.stderr, /criu failed to dump: .*; its log: .*dump\.log \(.*--file-locks\)/);
  s.ok(['checkpoint', '--image-path', images, '--file-locks', id]);
  await goesOn({ s, id, images, count: countOf(flock) }, flock, ['--file-locks']);
  assert.notEqual(s.call(['exec', id, 'flock', '-n', '/tmp/lock', 'true']).code, 0);

  // A file that has another name by now: without the flag CRIU would have to save what is not its own.
  const linked = counter(t, {
    script: `echo x >/tmp/a; ln /tmp/a /tmp/b; exec 9</tmp/a; rm /tmp/a; ${COUNT}`,
  });
  const second = s.detach(linked);
  await countsBeyond(linked, 2);
  const more = join(temporaryFolder(t), 'images');
  const remap = s.call(['checkpoint', '--image-path', more, second.id]);
  assert.equal(remap.code, 1);
  assert.match(remap.stderr, /--link-remap/);
  s.ok(['checkpoint', '--image-path', more, '--link-remap', second.id]);
  await goesOn({ s, id: second.id, images: more, count: countOf(linked) }, linked);
});

it('--shell-job: the terminal is the caller’s', async (t) => {
  const bundle = counter(t, { script: COUNT.replace('echo $i >', 'echo at $i; echo $i >') });
  const s = session(t, runtime);
  const folder = temporaryFolder(t);
  const [images, id] = [join(folder, 'images'), uniqueId()];
  /** In a terminal of its own; what it shows goes to a file. */
  const inTerminal = (name: string, ...args: string[]): { shown: () => string } => {
    const path = join(folder, name);
    const output = openSync(path, 'a');
    const words = [...runtime.command, '--root', s.root, ...args, '--bundle', bundle.path, id];
    const child = spawn('script', ['-qefc', words.join(' '), '/dev/null'], {
      stdio: ['pipe', output, output],
    });
    closeSync(output);
    t.after(() => child.kill('SIGKILL'));
    return { shown: () => readFileSync(path, 'utf8') };
  };
  inTerminal('first', 'run');
  await countsBeyond(bundle, 2);
  const { code, stderr } = s.call(['checkpoint', '--image-path', images, id]);
  assert.equal(code, 1);
  assert.match(stderr, /criu failed to dump: .*\(.*--shell-job.*\)/);
  const saved = s.call(['checkpoint', '--image-path', images, '--shell-job', id]);
  if (saved.code !== 0) {
    // CRIU 3.17 looks for the terminal's mount in the container all the same.
    assert.match(saved.stderr, /Can't lookup mount=\d+ for fd=0 path=\/dev\/pts\/\d+;.*process\.terminal/);
    await countsBeyond(bundle, countOf(bundle));
    return;
  }
  const count = countOf(bundle);
  const { shown } = inTerminal('second', 'restore', '--shell-job', '--image-path', images);
  for (let i = 0; i < 300 && !/at \d/.test(shown()); i++) await delay(100);
  assert.ok(Number(/at (\d+)/.exec(shown())?.[1]) > count, shown());
  await countsBeyond(bundle, count);
});

const PROFILES = ['runts-saved', 'runts-restored'] as const;

/** Gives profiles that allow everything to the kernel, until the test is over. */
function loadProfiles(t: TestContext): void {
  const file = join(temporaryFolder(t), 'profiles');
  const rules = 'file, capability, network, mount, umount, pivot_root, signal, ptrace, unix, userns,';
  writeFileSync(
    file,
    PROFILES.map(
      (name) => `profile ${name} flags=(attach_disconnected) { ${rules.replace('userns,', '')} }\n`,
    ).join(''),
  );
  const parser = (action: string): string =>
    spawnSync('apparmor_parser', [action, '--skip-cache', file], { encoding: 'utf8' }).stderr;
  assert.equal(parser('--replace'), '');
  t.after(() => parser('--remove'));
}

it('--lsm-profile: another profile of the security module than the one it was saved with', async (t) => {
  if (!securityModules().apparmor || !hasCommand('apparmor_parser')) {
    t.skip('needs AppArmor and apparmor_parser');
    return;
  }
  loadProfiles(t);
  const bundle = counter(t, {
    config: (spec) => {
      spec.process.apparmorProfile = PROFILES[0];
    },
  });
  const saved = await save(t, runtime, bundle);
  const { s, id, images } = saved;
  const profile = (): string =>
    readFileSync(`/proc/${s.state(id).pid}/attr/current`, 'utf8').replace(/[\0\n]/g, '');
  const wrong = s.restore(bundle, {
    id,
    flags: ['--image-path', images, '--lsm-profile', 'selinux:system_u:system_r:container_t:s0'],
  });
  assert.equal(wrong.code, 1);
  assert.match(wrong.output(), /criu failed to restore: /);
  t.diagnostic(wrong.output());
  await goesOn(saved, bundle);
  assert.equal(profile(), `${PROFILES[0]} (enforce)`);
  const again = join(temporaryFolder(t), 'again');
  s.ok(['checkpoint', '--image-path', again, id]);
  await goesOn({ ...saved, images: again, count: countOf(bundle) }, bundle, [
    '--lsm-profile',
    `apparmor:${PROFILES[1]}`,
  ]);
  assert.equal(profile(), `${PROFILES[1]} (enforce)`);
});

it('--lsm-mount-context: nothing where no mount has one', async (t) => {
  const bundle = counter(t, {
    config: (spec) => {
      spec.mounts.push({ destination: '/scratch', type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] });
    },
  });
  const saved = await save(t, runtime, bundle);
  await goesOn(saved, bundle, ['--lsm-mount-context', 'system_u:object_r:container_file_t:s0']);
});
