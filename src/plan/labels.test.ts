import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntsError } from '../errors.ts';
import type { SecurityModules } from '../linux/security.ts';
import type { Spec } from '../spec/types.ts';
import { planCreate } from './create.ts';
import {
  asksForLabels,
  contextOption,
  mountLabelOf,
  planKeyringLabel,
  planLabels,
  planOpenProc,
  requireModules,
} from './labels.ts';
import { contextFor, FACTS, lines } from './testing/context.ts';

const BOTH: SecurityModules = { apparmor: true, selinux: true };
const NONE: SecurityModules = { apparmor: false, selinux: false };

/** What is planned for a process with these labels. */
function planned(process: { apparmorProfile?: string; selinuxLabel?: string }, security = BOTH): string[] {
  const ctx = contextFor({ facts: { ...FACTS, security } });
  const proc = planOpenProc(ctx, process);
  planKeyringLabel(ctx, process, proc, () => ctx.program.call('setsid', []));
  planLabels(ctx, process, proc);
  return lines(ctx.program);
}

function refusal(process: object): RuntsError {
  try {
    requireModules({ ...FACTS, security: NONE }, process);
  } catch (error) {
    assert.ok(error instanceof RuntsError);
    return error;
  }
  return assert.fail('nothing was thrown');
}

test('without labels nothing is opened', () => {
  assert.deepEqual(planned({}), ['setsid()']);
  assert.deepEqual(planned({ apparmorProfile: '', selinuxLabel: '' }), ['setsid()']);
  assert.ok(!asksForLabels({}));
  assert.ok(!asksForLabels(undefined, ''));
  assert.ok(
    asksForLabels({ apparmorProfile: 'x' }) && asksForLabels({ selinuxLabel: 'x' }) && asksForLabels({}, 'x'),
  );
});

test('an AppArmor profile is written through the runtime’s own, verified /proc', () => {
  assert.deepEqual(planned({ apparmorProfile: 'acme' }), [
    '# process.apparmorProfile',
    'openat(AT_FDCWD, "/proc", O_DIRECTORY|O_CLOEXEC|O_PATH) -> proc',
    'fstatfs(proc, &statfs)',
    'if statfs == 40864 goto genuine',
    'fail(ENOTDIR) # /proc of the host is no proc file system',
    '# runts',
    'genuine:',
    'setsid()',
    '# process.apparmorProfile',
    'openat(proc, "thread-self/attr/apparmor/exec", O_WRONLY|O_CLOEXEC) -> attribute',
    'write(attribute, "exec acme", 9)',
    'close(attribute)',
    '# runts',
    'close(proc)',
  ]);
});

test('an SELinux label: of the keyring while it is made, then of what is executed', () => {
  const text = planned({ selinuxLabel: 'u:r:t:s0:c1,c2' });
  const attributes = text.filter((line) => /attr\/|write|setsid/.test(line));
  assert.deepEqual(attributes, [
    'openat(proc, "thread-self/attr/keycreate", O_WRONLY|O_CLOEXEC) -> attribute',
    'write(attribute, "u:r:t:s0:c1,c2", 14)',
    'setsid()',
    'openat(proc, "thread-self/attr/keycreate", O_WRONLY|O_CLOEXEC) -> attribute',
    'write(attribute, "", 0)',
    'openat(proc, "thread-self/attr/exec", O_WRONLY|O_CLOEXEC) -> attribute',
    'write(attribute, "u:r:t:s0:c1,c2", 14)',
  ]);
});

test('a label without its module is refused, in runc’s words', () => {
  const apparmor = refusal({ apparmorProfile: 'acme' });
  assert.equal(apparmor.code, 'E_UNSUPPORTED');
  assert.match(
    apparmor.message,
    /^process\.apparmorProfile: apparmor: config provided but apparmor not supported/,
  );
  const text = /selinux label is specified in config, but selinux is disabled or not supported/;
  assert.match(refusal({ selinuxLabel: 'x' }).message, text);
});

test('unconfined is what a process without AppArmor is', () => {
  requireModules({ ...FACTS, security: NONE }, { apparmorProfile: 'unconfined' });
  assert.deepEqual(planned({ apparmorProfile: 'unconfined' }, NONE), ['setsid()']);
  assert.ok(planned({ apparmorProfile: 'unconfined' }).includes('write(attribute, "exec unconfined", 15)'));
});

test('the context of new file systems', () => {
  const label = 'system_u:object_r:svirt_sandbox_file_t:s0:c715,c811';
  for (const type of ['tmpfs', 'mqueue', 'devpts']) {
    assert.deepEqual(contextOption(label, type, ['mode']), [`context="${label}"`]);
  }
  for (const type of ['proc', 'sysfs', 'cgroup', 'cgroup2'])
    assert.deepEqual(contextOption(label, type, []), []);
  for (const own of ['context', 'fscontext', 'defcontext', 'rootcontext']) {
    assert.deepEqual(contextOption(label, 'tmpfs', ['size', own]), []);
  }
  assert.deepEqual(contextOption(undefined, 'tmpfs', []), []);
  assert.deepEqual(contextOption(label, 'tmpfs', [], 'fscontext'), [`fscontext="${label}"`]);
});

test('linux.mountLabel is an option of the container’s file systems', () => {
  const { options } = contextFor();
  const spec: Spec = {
    ociVersion: '1.3.0',
    process: { cwd: '/', args: ['true'] },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['size=64k', 'mode=700'] },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue' },
    ],
    linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }], mountLabel: 'u:r:t:s0' },
  };
  const { program } = planCreate(spec, options, { ...FACTS, security: BOTH });
  const text = lines(program).join('\n');
  assert.match(text, /"tmpfs", 0, "size=64k,mode=700,context=\\"u:r:t:s0\\""/);
  const root = planCreate(
    spec,
    { ...options, extensions: { mountContext: 'rootcontext' } },
    { ...FACTS, security: BOTH },
  );
  assert.match(lines(root.program).join('\n'), /mode=700,rootcontext=\\"u:r:t:s0\\""/);
  assert.match(text, /"mqueue", 0, "context=\\"u:r:t:s0\\""/);
  assert.ok(!/"proc".*context=/.test(text));
});

test('linux.mountLabel without SELinux is left out, with a warning', () => {
  const { options } = contextFor();
  const spec: Spec = {
    ociVersion: '1.3.0',
    process: { cwd: '/', args: ['true'] },
    root: { path: 'rootfs' },
    mounts: [{ destination: '/dev/shm', type: 'tmpfs', source: 'shm' }],
    linux: { namespaces: [{ type: 'mount' }], mountLabel: 'u:r:t:s0' },
  };
  const { program, warnings } = planCreate(spec, options, { ...FACTS, security: NONE });
  assert.ok(!/context=/.test(lines(program).join('\n')));
  assert.deepEqual(warnings, ['linux.mountLabel: this host has no SELinux: ignored']);
  assert.equal(mountLabelOf(spec, { ...FACTS, security: NONE }), undefined);
  assert.equal(mountLabelOf(spec, { ...FACTS, security: BOTH }), 'u:r:t:s0');
});
