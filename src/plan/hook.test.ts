import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Process } from '../spec/types.ts';
import { planHook } from './hook.ts';
import { FACTS, lines } from './testing/context.ts';

const NAMESPACES = [{ type: 'pid' }, { type: 'mount' }] as const;

const PROCESS: Process = {
  cwd: '/',
  args: ['true'],
  apparmorProfile: 'acme',
  oomScoreAdj: 500,
  noNewPrivileges: true,
  rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 2048 }],
};

/** The plan of a hook of a container, or of the host with `as` null. */
function planned(as: Process | null, namespaces: readonly { type: 'user' }[] = []): string[] {
  const all = [...namespaces, ...NAMESPACES];
  const input = { path: '/bin/hook', argv: ['hook'], env: [], cwd: '/', namespaces: all, cgroup: false };
  const member = as && { id: 'box', namespaces: all, process: as, linux: {}, noNewKeyring: false };
  const facts = { ...FACTS, security: { apparmor: true, selinux: false } };
  return lines(planHook({ ...input, as: member }, facts));
}

/** Where the one line is that matches. */
function at(text: readonly string[], pattern: RegExp): number {
  const found = text.flatMap((line, i) => (pattern.test(line) ? [i] : []));
  assert.equal(found.length, 1, `${pattern}:\n${text.join('\n')}`);
  return found[0]!;
}

test('a program of the image gets what confines the command, each in its time', () => {
  const text = planned(PROCESS);
  const order = [
    /^openat\(.*"\/proc\/self\/oom_score_adj"/,
    /^openat\(AT_FDCWD, "\/proc", /,
    /^setns\(/,
    /^keyctl\(KEYCTL_JOIN_SESSION_KEYRING, "_ses\.box"\)/,
    /^write\(attribute, "exec acme"/,
    /^prlimit64\(0, RLIMIT_NOFILE, \{rlim_cur=1024, rlim_max=2048\}/,
    /^prctl\(PR_SET_NO_NEW_PRIVS, 1/,
    /^capset\(/,
    /^umask\(022\)/,
    /^notify\(5, 0\)/,
    /^execve\(/,
  ].map((pattern) => at(text, pattern));
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
    text.join('\n'),
  );
});

test('in a user namespace the parent sets the limits, and the keyring is that of its root', () => {
  const text = planned(PROCESS, [{ type: 'user' }]);
  assert.ok(!text.some((line) => line.startsWith('prlimit64')));
  const root = text.indexOf('setresuid(0, 0, 0)');
  assert.ok(root >= 0 && root < at(text, /^keyctl\(/), text.join('\n'));
});

test('a program of the host keeps what the runtime has', () => {
  const text = planned(null);
  assert.ok(!text.some((line) => /keyctl|prlimit|oom_score|attr|capset|umask|^notify\(5/.test(line)));
  at(text, /^setsid\(\)/);
});
