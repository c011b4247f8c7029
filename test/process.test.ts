/** `process` of config.json, as the container's command sees it. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CAP } from '../ffi/constants/index.ts';
import type { POSIXRlimit } from '../src/spec/types.ts';
import { privateWorld, runtimes, session, tempBundle } from './harness/index.ts';
import { look, lookAt, scriptBundle, testsOf } from './support/inside.ts';
import { capabilitySets, statusFields } from './support/status.ts';

const { skip } = privateWorld();

/** The mask of some capabilities. */
function mask(...names: string[]): bigint {
  return names.reduce((all, name) => all | (1n << BigInt((CAP as Record<string, number>)[name]!)), 0n);
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('arguments arrive byte for byte', (t) => {
    const args = [
      '',
      ' ',
      'a b',
      '"q"',
      "'",
      '$HOME',
      '\\',
      '*',
      'ünï→😀',
      'two\nlines',
      '-',
      '--',
      'x'.repeat(5000),
    ];
    const bundle = tempBundle(t, {
      args: ['sh', '-c', 'for a; do printf "%s\\0" "$a"; done', 'name', ...args],
      rootfs: 'shared',
    });
    const { code, stdout } = session(t, runtime).run(bundle);
    assert.equal(code, 0);
    assert.deepEqual(stdout.split('\0').slice(0, -1), args);
  });

  it('the environment is the config’s alone, the last definition of a variable counts', (t) => {
    const bundle = tempBundle(t, {
      args: ['env'],
      rootfs: 'shared',
      config: (spec) => {
        spec.process.env = [
          'PATH=/bin',
          'A=1',
          'EMPTY=',
          'B=x=y',
          'A=2',
          'S=a b',
          'HOME=/first',
          'HOME=/second',
        ];
      },
    });
    const { stdout } = session(t, runtime).run(bundle, {
      env: { ...process.env, LEAK: 'of the runtime' } as Record<string, string>,
    });
    assert.deepEqual(stdout.trim().split('\n').sort(), [
      'A=2',
      'B=x=y',
      'EMPTY=',
      'HOME=/second',
      'PATH=/bin',
      'S=a b',
    ]);
  });

  it('HOME comes from the container’s passwd when it is not set, or empty', (t) => {
    const home = (uid: number, env: string[]): string =>
      look(
        t,
        runtime,
        { home: 'echo "[$HOME]"' },
        {
          config: (spec) => {
            spec.process.user = { uid, gid: 0 };
            spec.process.env = ['PATH=/bin', ...env];
          },
        },
      ).home!;
    assert.equal(home(0, []), '[/root]');
    assert.equal(home(1000, ['HOME=']), '[/home/user]');
    assert.equal(home(4242, []), '[/]');
    assert.equal(home(1000, ['HOME=/set']), '[/set]');
  });

  it('HOME comes from the passwd that is mounted, also when its source is relative to the bundle', (t) => {
    const seen = look(
      t,
      runtime,
      { home: 'echo "[$HOME]"' },
      {
        own: (rootfs) => writeFileSync(join(rootfs, '../passwd'), 'x:x:1000:0::/mounted:/bin/sh\n'),
        config: (spec) => {
          spec.process.user = { uid: 1000, gid: 0 };
          spec.process.env = ['PATH=/bin'];
          spec.mounts.push({ destination: '/etc/passwd', source: 'passwd', options: ['bind'] });
        },
      },
    );
    assert.equal(seen.home, '[/mounted]');
  });

  it('a working directory that is missing is made', (t) => {
    const seen = look(
      t,
      runtime,
      { cwd: 'pwd', mode: 'stat -c "%a %u %g" /made /made/two' },
      {
        own: () => {},
        config: (spec) => {
          spec.process.cwd = '/made/two';
          spec.process.user = { uid: 1000, gid: 1000, umask: 0o077 };
        },
      },
    );
    assert.deepEqual(seen, { cwd: '/made/two', mode: '755 0 0\n755 0 0' });
  });

  it('a working directory may be one that the user could not enter', (t) => {
    const { code, stdout, stderr } = lookAt(t, runtime, 'pwd; ls . 2>&1', {
      own: (rootfs) => mkdirSync(join(rootfs, 'private'), { mode: 0o700 }),
      config: (spec) => {
        spec.process.cwd = '/private';
        spec.process.user = { uid: 1000, gid: 1000 };
        spec.process.capabilities = {};
      },
    });
    assert.deepEqual([code, stderr], [1, '']);
    assert.equal(stdout, '/private\nls: .: Permission denied\n');
  });

  it('a working directory through a symlink stays in the rootfs', (t) => {
    const seen = look(
      t,
      runtime,
      { cwd: 'pwd -P' },
      {
        config: (spec) => {
          spec.process.cwd = '/proc/../usr/../etc/.';
        },
      },
    );
    assert.equal(seen.cwd, '/etc');
  });

  it('a working directory may lie in a procfs, also behind a symlink', (t) => {
    for (const [cwd, seen] of [
      ['/proc/self', '/proc/1'],
      ['/proc', '/proc'],
      ['/link/fs', '/proc/fs'],
    ] as const) {
      const { code, stdout, stderr } = lookAt(t, runtime, 'pwd -P', {
        own: (rootfs) => symlinkSync('/proc', join(rootfs, 'link')),
        config: (spec) => {
          spec.process.cwd = cwd;
        },
      });
      assert.deepEqual([code, stderr, stdout], [0, '', `${seen}\n`]);
    }
  });

  it('a working directory behind a magic link, and one that would have to be made in a procfs, are refused', (t) => {
    for (const cwd of ['/proc/self/root', '/proc/self/cwd', '/proc/self/fd/0', '/proc/self/made']) {
      const { code, stderr } = lookAt(t, runtime, 'pwd', {
        config: (spec) => {
          spec.process.cwd = cwd;
        },
      });
      assert.equal(code, 1, cwd);
      assert.match(stderr, /process\.cwd: .*(ELOOP|ENOENT)/, cwd);
    }
  });

  it('a relative working directory is refused', (t) => {
    const { code, stderr } = lookAt(t, runtime, 'true', {
      config: (spec) => {
        spec.process.cwd = 'etc';
      },
    });
    assert.equal(code, 1);
    assert.match(stderr, /process\.cwd.*Cwd must be an absolute path/);
  });

  it('user, groups and umask', (t) => {
    const seen = look(
      t,
      runtime,
      { status: 'cat /proc/self/status', id: 'id', umask: 'umask' },
      {
        config: (spec) => {
          spec.process.user = {
            uid: 1000,
            gid: 100,
            umask: 0o027,
            additionalGids: [5, 77, 4_000_000_000, 77],
          };
        },
      },
    );
    const { Uid, Gid, Groups } = statusFields(seen.status!);
    assert.equal(Uid, '1000\t1000\t1000\t1000');
    assert.equal(Gid, '100\t100\t100\t100');
    assert.deepEqual(Groups?.split(' ').map(Number).sort(), [4_000_000_000, 5, 77].sort());
    assert.match(seen.id!, /^uid=1000\(user\) gid=100 /);
    assert.equal(seen.umask, '0027');
  });

  it('without more of them the command has no groups of the runtime, and the usual umask', (t) => {
    const seen = look(t, runtime, { status: 'cat /proc/self/status', umask: 'umask' });
    assert.equal(statusFields(seen.status!).Groups, '');
    assert.equal(seen.umask, '0022');
  });

  it('root’s capabilities: the bounding set, and what no_new_privs leaves of it', (t) => {
    const caps = (noNewPrivileges: boolean) =>
      capabilitySets(
        look(
          t,
          runtime,
          { status: 'cat /proc/self/status' },
          {
            config: (spec) => {
              spec.process.noNewPrivileges = noNewPrivileges;
              spec.process.capabilities = {
                bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW'],
                permitted: ['CAP_CHOWN', 'CAP_KILL'],
                effective: ['CAP_CHOWN'],
                inheritable: ['CAP_CHOWN'],
                ambient: ['CAP_CHOWN'],
              };
            },
          },
        ).status!,
      );
    const bnd = mask('CHOWN', 'KILL', 'NET_RAW');
    const amb = mask('CHOWN');
    assert.deepEqual(caps(false), { inh: amb, prm: bnd, eff: bnd, bnd, amb });
    const prm = mask('CHOWN', 'KILL');
    assert.deepEqual(caps(true), { inh: amb, prm, eff: prm, bnd, amb });
  });

  it('a user’s capabilities are the ambient ones', (t) => {
    const names = ['CAP_NET_BIND_SERVICE', 'CAP_CHOWN'];
    const seen = look(
      t,
      runtime,
      { status: 'cat /proc/self/status', works: 'chown 5 /tmp/f && stat -c %u /tmp/f' },
      {
        own: () => {},
        config: (spec) => {
          spec.process.user = { uid: 1000, gid: 1000 };
          spec.process.capabilities = {
            bounding: [...names, 'CAP_KILL'],
            permitted: [...names, 'CAP_KILL'],
            effective: [...names, 'CAP_KILL'],
            inheritable: [...names, 'CAP_KILL'],
            ambient: names,
          };
          spec.process.args[2] = `touch /tmp/f; ${spec.process.args[2]}`;
        },
      },
    );
    const amb = mask('NET_BIND_SERVICE', 'CHOWN');
    const all = amb | mask('KILL');
    assert.deepEqual(capabilitySets(seen.status!), { inh: all, prm: amb, eff: amb, bnd: all, amb });
    assert.equal(seen.works, '5');
  });

  it('without capabilities a command has none, root or not', (t) => {
    for (const uid of [0, 1000]) {
      const seen = look(
        t,
        runtime,
        { status: 'cat /proc/self/status' },
        {
          config: (spec) => {
            spec.process.user = { uid, gid: 0 };
            spec.process.capabilities = undefined;
          },
        },
      );
      assert.deepEqual(capabilitySets(seen.status!), { inh: 0n, prm: 0n, eff: 0n, bnd: 0n, amb: 0n });
    }
  });

  it('init of a created container has exactly what the config says, before execve changes it', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'true', {
      config: (spec) => {
        spec.process.user = { uid: 1000, gid: 1000, additionalGids: [7] };
        spec.process.capabilities = {
          bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW'],
          permitted: ['CAP_CHOWN', 'CAP_KILL'],
          effective: ['CAP_CHOWN'],
          inheritable: ['CAP_KILL'],
        };
        spec.process.oomScoreAdj = 321;
        spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 128 }];
      },
    });
    const { id, code, output } = s.create(bundle);
    assert.equal(code, 0, output());
    const { pid } = s.state(id);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.deepEqual(capabilitySets(status), {
      inh: mask('KILL'),
      prm: mask('CHOWN', 'KILL'),
      eff: mask('CHOWN'),
      bnd: mask('CHOWN', 'KILL', 'NET_RAW'),
      amb: 0n,
    });
    const { Uid, Groups, NoNewPrivs } = statusFields(status);
    assert.deepEqual([Uid, Groups, NoNewPrivs], ['1000\t1000\t1000\t1000', '7', '1']);
    assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'), '321\n');
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max open files +64 +128 /m);
  });

  it('every resource limit', (t) => {
    const limits = {
      RLIMIT_AS: 'Max address space',
      RLIMIT_CORE: 'Max core file size',
      RLIMIT_CPU: 'Max cpu time',
      RLIMIT_DATA: 'Max data size',
      RLIMIT_FSIZE: 'Max file size',
      RLIMIT_LOCKS: 'Max file locks',
      RLIMIT_MEMLOCK: 'Max locked memory',
      RLIMIT_MSGQUEUE: 'Max msgqueue size',
      RLIMIT_NICE: 'Max nice priority',
      RLIMIT_NOFILE: 'Max open files',
      RLIMIT_NPROC: 'Max processes',
      RLIMIT_RSS: 'Max resident set',
      RLIMIT_RTPRIO: 'Max realtime priority',
      RLIMIT_RTTIME: 'Max realtime timeout',
      RLIMIT_SIGPENDING: 'Max pending signals',
      RLIMIT_STACK: 'Max stack size',
    };
    // At most what this process has, whatever the host gives it.
    const here = readFileSync('/proc/self/limits', 'utf8');
    const wanted = Object.entries(limits).map(([type, name], i) => {
      const most = new RegExp(`^${name} +\\S+ +(\\S+)`, 'm').exec(here)![1]!;
      const big = type === 'RLIMIT_AS' || type === 'RLIMIT_DATA' || type === 'RLIMIT_STACK';
      const value = (big ? 1 << 28 : 1000) + i;
      const hard = Math.min(value + 50, most === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(most));
      return { type: type as POSIXRlimit['type'], name, soft: Math.min(value, hard), hard };
    });
    const seen = look(
      t,
      runtime,
      { limits: 'cat /proc/self/limits' },
      {
        config: (spec) => {
          spec.process.rlimits = wanted.map(({ type, soft, hard }) => ({ type, soft, hard }));
        },
      },
    );
    for (const { name, soft, hard } of wanted) {
      assert.match(seen.limits!, new RegExp(`^${name} +${soft} +${hard} `, 'm'), name);
    }
  });

  it('no limit at all, as configs write it', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'ulimit -f; ulimit -Hf', {
      config: (spec) => {
        spec.process.rlimits = [{ type: 'RLIMIT_FSIZE', soft: 123, hard: 123 }];
      },
    });
    const path = join(bundle.path, 'config.json');
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(': 123', ': 18446744073709551615'));
    assert.equal(s.run(bundle).stdout, 'unlimited\nunlimited\n');
  });

  it('no_new_privs, the OOM score, and a session of its own', (t) => {
    for (const noNewPrivileges of [true, false]) {
      const seen = look(
        t,
        runtime,
        { status: 'cat /proc/self/status', score: 'cat /proc/self/oom_score_adj', stat: 'cat /proc/1/stat' },
        {
          config: (spec) => {
            spec.process.noNewPrivileges = noNewPrivileges;
            spec.process.oomScoreAdj = 456;
          },
        },
      );
      assert.equal(statusFields(seen.status!).NoNewPrivs, noNewPrivileges ? '1' : '0');
      assert.equal(seen.score, '456');
      const [, , pgrp, session] = seen.stat!.slice(seen.stat!.lastIndexOf(')') + 2).split(' ');
      assert.deepEqual([pgrp, session], ['1', '1']);
    }
  });

  it('an OOM score that is not given is inherited', (t) => {
    const here = readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
    assert.equal(look(t, runtime, { score: 'cat /proc/self/oom_score_adj' }).score, here);
  });

  it('exit codes are the command’s', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, '');
    for (const code of [0, 1, 42, 126, 127, 255]) {
      bundle.config.process.args[2] = `exit ${code}`;
      bundle.save();
      assert.equal(s.run(bundle).code, code);
    }
    for (const [name, number] of [
      ['TERM', 15],
      ['KILL', 9],
      ['USR1', 10],
      ['ABRT', 6],
    ] as const) {
      // Signals that aren't handled don't reach process 1 of a pid namespace.
      bundle.config.linux.namespaces = bundle.config.linux.namespaces.filter(({ type }) => type !== 'pid');
      bundle.config.process.args[2] = `kill -${name} $$; sleep 2`;
      bundle.save();
      assert.equal(s.run(bundle).code, 128 + number, name);
    }
  });

  it('standard streams are the caller’s own, untouched', (t) => {
    const input = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('');
    const { code, stdout, stderr } = lookAt(t, runtime, 'cat; echo over >&2', { input });
    assert.deepEqual([code, stderr], [0, 'over\n']);
    assert.ok(stdout === input, 'not what was sent');
  });

  it('nothing of the runtime is open in the container', (t) => {
    const bundle = tempBundle(t, { args: ['ls', '-l', '/proc/self/fd'], rootfs: 'shared' });
    const { stdout } = session(t, runtime).run(bundle);
    // The fourth is the folder that ls itself reads, and has closed when it comes to look at it.
    const open = [...stdout.matchAll(/ (\d+)(?: -> .*)?$/gm)].map(([, fd]) => Number(fd)).slice(1);
    assert.deepEqual(open, [0, 1, 2, 3], stdout);
    assert.match(stdout, / 3$/m);
  });

  it('stdio that is a file belongs to the command’s user', async (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'echo again > /proc/self/fd/1; stat -L -c %u /proc/self/fd/1', {
      config: (spec) => {
        spec.process.user = { uid: 1000, gid: 1000 };
        spec.process.capabilities = {};
      },
    });
    const { id, output } = s.detach(bundle);
    await s.waitFor(id, 'stopped');
    assert.equal(output(), 'again\n1000\n');
  });

  it('a command without a path is the first executable file of the config’s PATH', (t) => {
    const bundle = tempBundle(t, {
      args: ['tool', 'x'],
      config: (spec) => {
        spec.process.env = ['PATH=/none:/etc/passwd:/dir::/plain:/link:/second'];
      },
    });
    for (const name of ['dir/tool', 'plain', 'link', 'second'])
      mkdirSync(join(bundle.rootfs, name), { recursive: true });
    writeFileSync(join(bundle.rootfs, 'plain/tool'), '#!/bin/sh\necho not executable\n', { mode: 0o644 });
    symlinkSync('/nowhere', join(bundle.rootfs, 'link/tool'));
    writeFileSync(join(bundle.rootfs, 'second/tool'), '#!/bin/sh\necho $0 $1\n', { mode: 0o755 });
    const { code, stdout, stderr } = session(t, runtime).run(bundle);
    assert.deepEqual([code, stdout, stderr], [0, '/second/tool x\n', '']);
  });

  it('lowering the OOM score takes a right', (t) => {
    const able =
      (capabilitySets(readFileSync('/proc/self/status', 'utf8')).eff & mask('SYS_RESOURCE')) !== 0n;
    const { code, stdout, stderr } = lookAt(t, runtime, 'cat /proc/self/oom_score_adj', {
      config: (spec) => {
        spec.process.oomScoreAdj = -999;
      },
    });
    if (able) assert.equal(stdout, '-999\n');
    else {
      assert.equal(code, 1);
      assert.match(stderr, /process\.oomScoreAdj: write\(.*Permission denied \(EACCES\).*CAP_SYS_RESOURCE/i);
    }
  });
}
