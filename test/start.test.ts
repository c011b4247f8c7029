/** Commands that can't be executed: what `create` knows already, what `start` reports, and how. */

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundle, privateWorld, runtimes, session, tempBundle } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** The header of an ELF program for another machine. */
function foreignProgram(): Buffer {
  const header = Buffer.from(readFileSync(process.execPath).subarray(0, 64));
  header.writeUInt16LE(0xffff, 18); // e_machine
  return Buffer.concat([header, Buffer.alloc(4096)]);
}

interface Case {
  name: string;
  args: string[];
  make?: (rootfs: string) => void;
  bundle?: (bundle: Bundle) => void;
  /** Which command says so. */
  by: 'create' | 'start';
  text: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: 'not in PATH',
    args: ['no-such-command'],
    by: 'create',
    text: /exec: "no-such-command": executable file not found in \$PATH \(process\.args\[0\]: no folder of process\.env’s PATH has it in this rootfs\)$/,
  },
  { name: 'an empty name', args: [''], by: 'create', text: /exec: "": .*(not found|no such file|directory)/ },
  {
    name: 'a path that is not there',
    args: ['/no/such'],
    by: 'create',
    text: /exec \/no\/such: no such file or directory \(process\.args\[0\]: this rootfs has no such file\)$/,
  },
  {
    name: 'a path through a file',
    args: ['/etc/passwd/x'],
    by: 'create',
    text: /exec \/etc\/passwd\/x: not a directory$/,
  },
  {
    name: 'not executable',
    args: ['/etc/passwd'],
    by: 'create',
    text: /exec \/etc\/passwd: permission denied \(/,
  },
  {
    name: 'a folder',
    args: ['/etc'],
    by: 'create',
    text: /exec \/etc: permission denied \(it is a folder\)/,
  },
  {
    name: 'a dangling symlink',
    args: ['/link'],
    make: (rootfs) => symlinkSync('/nowhere', join(rootfs, 'link')),
    by: 'create',
    text: /exec \/link: no such file or directory \(process\.args\[0\]: this rootfs has no such file\)$/,
  },
  {
    name: 'a symlink to itself',
    args: ['/link'],
    make: (rootfs) => symlinkSync('link', join(rootfs, 'link')),
    by: 'create',
    text: /exec \/link: too many (levels of symbolic links|symbolic links)/i,
  },
  {
    name: 'executable, but not for this user',
    args: ['/tool'],
    make: (rootfs) => writeFileSync(join(rootfs, 'tool'), '#!/bin/sh\n', { mode: 0o700 }),
    bundle: ({ config }) => {
      config.process.user = { uid: 1000, gid: 1000 };
      config.process.capabilities = {};
    },
    by: 'create',
    text: /exec \/tool: permission denied \(/,
  },
  {
    name: 'a script whose interpreter is missing',
    args: ['/script'],
    make: (rootfs) => writeFileSync(join(rootfs, 'script'), '#!/no/such/shell\n', { mode: 0o755 }),
    by: 'start',
    text: /exec \/script: no such file or directory \(.*interpreter/,
  },
  {
    name: 'a program of another machine',
    args: ['/foreign'],
    make: (rootfs) => writeFileSync(join(rootfs, 'foreign'), foreignProgram(), { mode: 0o755 }),
    by: 'start',
    text: /exec \/foreign: exec format error \(.*another machine/,
  },
  {
    name: 'a script without an interpreter',
    args: ['plain'],
    make: (rootfs) => writeFileSync(join(rootfs, 'bin/plain'), 'echo x\n', { mode: 0o755 }),
    by: 'start',
    text: /exec: "plain": exec format error \(.*#!/,
  },
  {
    name: 'an empty file',
    args: ['/empty'],
    make: (rootfs) => writeFileSync(join(rootfs, 'empty'), '', { mode: 0o755 }),
    by: 'start',
    text: /exec \/empty: exec format error/,
  },
  {
    name: 'on a mount with noexec',
    args: ['/noexec/tool'],
    bundle: ({ path, config }) => {
      mkdirSync(join(path, 'tools'));
      writeFileSync(join(path, 'tools/tool'), '#!/bin/sh\n');
      chmodSync(join(path, 'tools/tool'), 0o755);
      config.mounts.push({ destination: '/noexec', source: 'tools', options: ['bind', 'noexec'] });
    },
    by: 'create',
    text: /exec \/noexec\/tool: permission denied \(.*noexec/,
  },
  {
    name: 'arguments that are too long',
    args: ['true', 'x'.repeat(200_000)],
    by: 'start',
    text: /exec: "true": argument list too long/,
  },
];

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a command that can’t be executed: create, start and run say why, and run leaves nothing', async (t) => {
    const s = session(t, runtime);
    for (const { name, args, make, bundle: change, by, text } of CASES) {
      const bundle = tempBundle(t, { args });
      make?.(bundle.rootfs);
      change?.(bundle);
      bundle.save();
      const run = s.run(bundle, { globals: JSON_LOG });
      assert.deepEqual([run.code, run.stdout], [1, ''], name);
      const failure = failureOf(run);
      assert.equal(failure.code, 'E_EXEC', name);
      assert.match(failure.msg, text, name);
      assert.deepEqual(readdirSync(s.root), [], name);
      const created = s.create(bundle, { globals: JSON_LOG });
      if (by === 'create') {
        assert.deepEqual(failureOf(created), failure, name);
        assert.deepEqual(readdirSync(s.root), [], name);
        continue;
      }
      assert.equal(created.code, 0, `${name}: ${created.output()}`);
      const start = s.call(['start', created.id], { globals: JSON_LOG });
      assert.deepEqual(failureOf(start), failure, name);
      await s.waitFor(created.id, 'stopped');
      assert.equal(created.output(), '', name);
      assert.equal(
        failureOf(s.call(['start', created.id], { globals: JSON_LOG })).code,
        'E_WRONG_STATE',
        name,
      );
      s.ok(['delete', created.id]);
    }
  });

  it('exec says it as well, with 255', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '60'] });
    writeFileSync(join(bundle.rootfs, 'script'), '#!/no/such/shell\n', { mode: 0o755 });
    const { id } = s.detach(bundle);
    for (const [command, text] of [
      ['no-such-command', /exec: "no-such-command": executable file not found in \$PATH/],
      ['/no/such', /exec \/no\/such: no such file or directory/],
      ['/etc/passwd', /exec \/etc\/passwd: permission denied/],
      ['/etc', /exec \/etc: permission denied \(it is a folder\)/],
      ['/script', /exec \/script: no such file or directory/],
    ] as const) {
      const failure = failureOf(s.call(['exec', id, command], { globals: JSON_LOG }));
      assert.deepEqual([failure.exit, failure.code], [255, 'E_EXEC']);
      assert.match(failure.msg, text);
    }
    assert.equal(s.state(id).status, 'running');
  });

  it('a container whose init was killed before start', async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['true'] });
    const { id } = s.create(bundle);
    process.kill(s.state(id).pid, 'SIGKILL');
    await s.waitFor(id, 'stopped');
    const { exit, code, msg } = failureOf(s.call(['start', id], { globals: JSON_LOG }));
    assert.deepEqual([exit, code], [1, 'E_WRONG_STATE']);
    assert.match(msg, /cannot start a container that has stopped/);
    s.ok(['delete', id]);
  });
}
