/**
 * What a container can do to the runtime’s processes that enter it: to the executor that waits for `start` as the
 * container's init, and to those that `exec` brings in. CVE-2019-5736, CVE-2016-9962, CVE-2024-21626, CVE-2022-29162.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { F, F_SEAL } from '../../ffi/constants/index.ts';
import { syscall } from '../../ffi/local.ts';
import { errnoOf } from '../../src/errors.ts';
import { privateWorld, runtimes, type Session, session, tempBundle } from '../harness/index.ts';
import { printing, scriptBundle, sectionsOf, testsOf } from '../support/inside.ts';
import { capabilitySets } from '../support/status.ts';

const { skip } = privateWorld();

const SEALS = F_SEAL.SEAL | F_SEAL.SHRINK | F_SEAL.GROW | F_SEAL.WRITE;

function codeOf(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  /** Every file of the runtime, and the engine that runs it. */
  const installed = (): string => {
    const hash = createHash('sha256');
    for (const file of runtime.command) hash.update(readFileSync(file));
    for (const name of ['executor', 'koffi.node'])
      hash.update(readFileSync(join(import.meta.dirname, '../../dist', name)));
    return hash.digest('hex');
  };

  const running = (t: TestContext, script: string): { s: Session; id: string; rootfs: string } => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, script, { own: () => {} });
    const { id, code, output } = s.detach(bundle);
    assert.equal(code, 0, output());
    return { s, id, rootfs: bundle.rootfs };
  };

  it('CVE-2019-5736: a created container’s init is a sealed file in memory, not the runtime', (t) => {
    const s = session(t, runtime);
    const { id, code, output } = s.create(tempBundle(t, { rootfs: 'shared' }));
    assert.equal(code, 0, output());
    const exe = `/proc/${s.state(id).pid}/exe`;
    assert.equal(readlinkSync(exe), '/memfd:runts-init (deleted)');
    for (const flags of [constants.O_WRONLY, constants.O_RDWR, constants.O_WRONLY | constants.O_TRUNC])
      assert.match(codeOf(() => closeSync(openSync(exe, flags))) ?? 'opened', /^(ETXTBSY|EPERM)$/);
    const fd = openSync(exe, 'r');
    try {
      assert.equal(syscall('fcntl', [fd, F.GET_SEALS, 0]) & SEALS, SEALS);
      assert.match(codeOf(() => writeFileSync(`/proc/self/fd/${fd}`, 'x')) ?? 'written', /^(ETXTBSY|EPERM)$/);
    } finally {
      closeSync(fd);
    }
  });

  it('CVE-2019-5736: a command that is /proc/self/exe runs nothing of the host', (t) => {
    const before = installed();
    for (const how of ['direct', 'script']) {
      const bundle = tempBundle(t, { args: how === 'direct' ? ['/proc/self/exe', 'init'] : ['/trick'] });
      writeFileSync(join(bundle.rootfs, 'trick'), '#!/proc/self/exe\n', { mode: 0o755 });
      const { code, stdout } = session(t, runtime).run(bundle);
      assert.notEqual(code, 0, how);
      assert.equal(stdout, '');
    }
    assert.equal(installed(), before);
  });

  it('CVE-2019-5736: what exec brings in can’t be overwritten from inside', async (t) => {
    const before = installed();
    // Tries to write to every program that runs in the container, as fast as it can.
    const { s, id, rootfs } = running(
      t,
      `cp /bin/busybox /tmp/probe
       while [ ! -e /tmp/end ]; do
         for p in /proc/[0-9]*; do
           ( echo overwritten > $p/exe && tr '\\0' ' ' < $p/cmdline >> /tmp/written ) 2>/dev/null
         done
       done`,
    );
    for (let i = 0; i < 25; i++) s.ok(['exec', id, 'true']);
    writeFileSync(join(rootfs, 'tmp/end'), '');
    await s.waitFor(id, 'stopped');
    assert.equal(
      codeOf(() => readFileSync(join(rootfs, 'tmp/written'))),
      'ENOENT',
    );
    assert.equal(installed(), before);
  });

  it('CVE-2016-9962: nobody inside can trace or look into a process of the runtime before execve', (t) => {
    const s = session(t, runtime);
    const first = s.detach(tempBundle(t, { args: ['sleep', '100'], rootfs: 'shared' }));
    assert.equal(first.code, 0, first.output());
    const { pid } = s.state(first.id);
    // A second container in the pid namespace of the first: its init waits there for `start`, to be seen by all.
    const second = s.create(
      tempBundle(t, {
        rootfs: 'shared',
        config: (spec) => {
          spec.linux.namespaces = spec.linux.namespaces.map((n) =>
            n.type === 'pid' ? { type: 'pid', path: `/proc/${pid}/ns/pid` } : n,
          );
        },
      }),
    );
    assert.equal(second.code, 0, second.output());
    const attempts = {
      mem: ': < $p/mem',
      memWrite: ': > $p/mem',
      exe: 'cat $p/exe',
      exeWrite: ': > $p/exe',
      environ: '[ -n "$(cat $p/environ)" ]',
      maps: '[ -n "$(cat $p/maps)" ]',
      // how many there are may be seen, but not what they are
      fd: 'for f in $p/fd/*; do readlink $f && exit 0; done; exit 1',
      fdOpen: 'for f in $p/fd/*; do ( : < $f ) && exit 0; done; exit 1',
      root: 'ls $p/root/',
      cwd: 'ls $p/cwd/',
      namespace: 'readlink $p/ns/mnt',
      syscall: 'cat $p/syscall',
      stack: 'cat $p/stack',
    };
    const script = printing(
      Object.fromEntries(
        Object.entries(attempts).map(([name, attempt]) => [
          name,
          `( ${attempt} ) > /dev/null 2>&1 && echo allowed || echo denied`,
        ]),
      ),
    );
    const found = s.ok([
      'exec',
      first.id,
      'sh',
      '-c',
      `p=$(grep -l '^runts-init' /proc/[0-9]*/comm | head -1); p=\${p%/comm}; echo "@process"; echo $p; ${script}`,
    ]);
    const { process, ...results } = sectionsOf(found);
    assert.match(process!, /^\/proc\/\d+$/);
    assert.deepEqual(results, Object.fromEntries(Object.keys(attempts).map((name) => [name, 'denied'])));
  });

  it('CVE-2024-21626: no descriptor but the standard streams gets in', async (t) => {
    const s = session(t, runtime);
    const list = 'echo descriptors $(ls /proc/self/fd)';
    const bundle = scriptBundle(t, `${list}; sleep 100`, {});
    // Descriptors that whoever called the runtime has forgotten, among them one of the host's root.
    const careless = session(t, {
      name: runtime.name,
      command: ['sh', '-c', 'exec 5</ 7>/dev/null 9</etc; exec "$@"', 'sh', ...runtime.command],
    });
    for (const caller of [s, careless]) {
      const { id, code, output, untilPrinted } = caller.create(bundle);
      assert.equal(code, 0, output());
      caller.ok(['start', id]);
      await caller.waitFor(id, 'running');
      const exec = caller.ok(['exec', id, 'sh', '-c', list]);
      // 3 is the folder that ls reads.
      for (const text of [untilPrinted('3\n'), exec]) assert.equal(text, 'descriptors 0 1 2 3\n');
      caller.ok(['delete', '--force', id]);
    }
  });

  it('CVE-2022-29162: no inheritable capabilities, with exec --cap neither', (t) => {
    const { s, id } = running(t, 'sleep 100');
    const flags = [
      [],
      ['--cap', 'CAP_NET_ADMIN'],
      ['--cap', 'CAP_SYS_PTRACE', '--cap', 'CAP_KILL', '-u', '1000'],
    ];
    for (const each of flags) {
      const sets = capabilitySets(s.ok(['exec', ...each, id, 'cat', '/proc/self/status']));
      assert.deepEqual([sets.inh, sets.amb], [0n, 0n], each.join(' '));
    }
  });

  it('CVE-2026-30892: exec -u takes a user that is no number for an error, and a number for that user', (t) => {
    const { s, id } = running(t, 'sleep 100');
    assert.equal(s.ok(['exec', '-u', '1', id, 'id', '-u']), '1\n');
    for (const user of ['1x', '-1', '0x0', '1:', ':1', ' 1', '1:2:3', '99999999999', 'nobody-of-that-name']) {
      const { code, stdout } = s.call(['exec', '-u', user, id, 'id', '-u']);
      assert.deepEqual([code, stdout], [255, ''], user);
    }
  });

  it('the container’s root can’t signal or see the runtime’s processes on the host', (t) => {
    const { s, id } = running(t, 'sleep 100');
    const names = s.ok(['exec', id, 'sh', '-c', 'cat /proc/[0-9]*/comm']).trim().split('\n');
    for (const name of names) assert.match(name, /^(sh|sleep|cat)$/);
  });

  it('a debugger can’t be switched on with a signal', async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['true'] });
    bundle.config.hooks = {
      createRuntime: [
        {
          path: '/bin/sh',
          args: ['sh', '-c', 'kill -USR1 $PPID; sleep 0.5; cat /proc/net/tcp /proc/net/tcp6'],
        },
      ],
    };
    bundle.save();
    // The binary has no debugger, and ends.
    const { stderr } = s.run(bundle);
    assert.doesNotMatch(stderr, /ebugger/);
    assert.doesNotMatch(readFileSync('/proc/net/tcp', 'utf8'), /:240D .* 0A /);
  });
}
