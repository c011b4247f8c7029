/** Annotations that change what the runtime does: docs/annotations.md. */

import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { syscallNumber } from '../ffi/syscalls.ts';
import type { Hook } from '../src/spec/types.ts';
import {
  hasCommand,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
  temporaryFolder,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, scriptBundle, sectionsOf, testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** Adds annotations, and whatever else. */
const annotated =
  (annotations: Record<string, string>, change: (spec: TestSpec) => void = () => {}) =>
  (spec: TestSpec): void => {
    spec.annotations = annotations;
    change(spec);
  };

/** A runtime whose caller is in further groups. */
function inGroups(runtime: Runtime, groups: string): Runtime {
  return { ...runtime, command: ['setpriv', '--groups', groups, ...runtime.command] };
}

/** struct sock_filter[] in base64. */
function filter(...instructions: [code: number, jt: number, jf: number, k: number][]): string {
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, jt, jf, k], i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k, true);
  });
  return Buffer.from(view.buffer).toString('base64');
}

const [LOAD, JEQ, RET] = [0x20, 0x15, 0x06];
const ALLOW = 0x7fff0000;
const EOPNOTSUPP = 0x00050000 | 95;
const MKDIRAT = syscallNumber('mkdirat', process.arch === 'arm64' ? 'arm64' : 'x64');
/** mkdir(2) of x86-64; arm64 has mkdirat alone. */
const MKDIR = process.arch === 'arm64' ? MKDIRAT : 83;

const cgroups = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('run.oci.keep_original_groups: the groups are the caller’s, in exec and hooks too', (t) => {
    if (!hasCommand('setpriv')) return t.skip('needs setpriv');
    const hook: Hook = { path: '/bin/sh', args: ['sh', '-c', 'grep Groups: /proc/self/status > /tmp/hook'] };
    for (const [value, expected] of [
      ['1', 'Groups:\t1234 4321'],
      ['0', 'Groups:\t0 77'],
    ] as const) {
      const s = session(t, inGroups(runtime, '1234,4321'));
      const bundle = scriptBundle(t, 'grep Groups: /proc/self/status; sleep 1000', {
        own: () => {},
        config: annotated({ 'run.oci.keep_original_groups': value }, (spec) => {
          spec.process.user = { uid: 0, gid: 0, additionalGids: [0, 77] };
          spec.hooks = { startContainer: [hook] };
        }),
      });
      const { id, code, stderr } = s.detach(bundle);
      assert.deepEqual([code, stderr], [0, '']);
      assert.equal(s.ok(['exec', id, 'grep', 'Groups:', '/proc/self/status']).trim(), expected);
      assert.equal(readFileSync(join(bundle.rootfs, 'tmp/hook'), 'utf8').trim(), expected);
    }
  });

  it('run.oci.hooks.stdout and stderr: the output of all hooks, in files', async (t) => {
    const folder = temporaryFolder(t);
    const [out, err] = ['out', 'err'].map((name) => join(folder, name)) as [string, string];
    writeFileSync(out, 'before\n');
    const say = (word: string): Hook[] => [
      { path: '/bin/sh', args: ['sh', '-c', `echo ${word}; echo ${word} error >&2`] },
    ];
    const phases = [
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
      'poststop',
    ];
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'sleep 1000', {
      config: annotated({ 'run.oci.hooks.stdout': out, 'run.oci.hooks.stderr': err }, (spec) => {
        spec.hooks = Object.fromEntries(phases.map((phase) => [phase, say(phase)]));
      }),
    });
    const { id } = s.create(bundle);
    s.ok(['start', id]);
    s.ok(['delete', '--force', id]);
    assert.equal(readFileSync(out, 'utf8'), ['before', ...phases, ''].join('\n'));
    assert.equal(readFileSync(err, 'utf8'), phases.map((phase) => `${phase} error\n`).join(''));
  });

  it('a file for the hooks’ output that is none', (t) => {
    const cases: [string, RegExp][] = [
      ['relative', /annotations\["run\.oci\.hooks\.stdout"\]: expected an absolute path, found "relative"/],
      ['/missing/out', /error running prestart hook #0: open \/missing\/out for its output: no such file/],
      ['/tmp', /error running prestart hook #0: open \/tmp for its output: is a directory/],
    ];
    for (const [path, message] of cases) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: annotated({ 'run.oci.hooks.stdout': path }, (spec) => {
          spec.hooks = { prestart: [{ path: '/bin/true' }] };
        }),
      });
      assert.match(failureOf(result).msg, message);
    }
  });

  it('run.oci.seccomp_bpf_data: a filter of the caller’s own making, in exec too', (t) => {
    const program = filter(
      [LOAD, 0, 0, 0],
      [JEQ, 1, 0, MKDIR],
      [JEQ, 0, 1, MKDIRAT],
      [RET, 0, 0, EOPNOTSUPP],
      [RET, 0, 0, ALLOW],
    );
    const s = session(t, runtime);
    for (const profile of [undefined, { defaultAction: 'SCMP_ACT_KILL' } as const]) {
      const bundle = scriptBundle(t, 'mkdir /tmp/x; sleep 1000', {
        config: annotated({ 'run.oci.seccomp_bpf_data': program }, (spec) => {
          spec.linux.seccomp = profile;
        }),
      });
      const { id, code } = s.detach(bundle);
      assert.equal(code, 0);
      const { stderr } = s.call(['exec', id, 'mkdir', '/tmp/y']);
      assert.match(stderr, /Operation not supported/);
    }
    const cases: [string, RegExp][] = [
      ['*', /annotations\["run\.oci\.seccomp_bpf_data"\]: expected base64/],
      ['', /expected 1 to 4096 instructions of 8 bytes, found 0 bytes/],
      ['AAAA', /expected 1 to 4096 instructions of 8 bytes, found 3 bytes/],
      [filter([0xff, 0, 0, 0]), /linux\.seccomp: seccomp.*EINVAL/],
    ];
    for (const [text, message] of cases) {
      const config = annotated({ 'run.oci.seccomp_bpf_data': text });
      assert.match(failureOf(lookAt(t, runtime, 'true', { globals: JSON_LOG, config })).msg, message);
    }
  });

  it('run.oci.seccomp_fail_unknown_syscall: a misspelt name is an error', (t) => {
    const profile = (spec: TestSpec): void => {
      spec.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['chmod', 'chmode'], action: 'SCMP_ACT_ERRNO' }],
      };
    };
    const name = 'run.oci.seccomp_fail_unknown_syscall';
    for (const annotations of [{}, { [name]: '0' }] as Record<string, string>[])
      assert.equal(lookAt(t, runtime, 'true', { config: annotated(annotations, profile) }).code, 0);
    const { msg } = failureOf(
      lookAt(t, runtime, 'true', { globals: JSON_LOG, config: annotated({ [name]: '1' }, profile) }),
    );
    assert.match(msg, /linux\.seccomp\.syscalls\[0\]\.names\[1\]: .*doesn’t know the system call "chmode"/);
  });

  it('run.oci.timens_offset: the clocks of a new time namespace', (t) => {
    if (!existsSync('/proc/self/ns/time')) return t.skip('the kernel has no time namespaces');
    const time = (spec: TestSpec): void => {
      spec.linux.namespaces.push({ type: 'time' });
      spec.linux.timeOffsets = { boottime: { secs: 5 } };
    };
    const seen = look(
      t,
      runtime,
      { offsets: "tr -s ' ' < /proc/self/timens_offsets" },
      { config: annotated({ 'run.oci.timens_offset': '7 1000 5\nmonotonic 20 0\n' }, time) },
    );
    assert.equal(seen.offsets, 'monotonic 20 0\nboottime 1000 5');
    const cases: [string, (spec: TestSpec) => void, RegExp][] = [
      ['7 1 0', () => {}, /annotations\["run\.oci\.timens_offset"\]: there is no new time namespace/],
      ['realtime 1 0', time, /expected CLOCK SECONDS NANOSECONDS, found "realtime 1 0"/],
      ['constructor 1 0', time, /expected CLOCK SECONDS NANOSECONDS/],
      ['7 1', time, /expected CLOCK SECONDS NANOSECONDS, found "7 1"/],
    ];
    for (const [text, change, message] of cases) {
      const config = annotated({ 'run.oci.timens_offset': text }, change);
      assert.match(failureOf(lookAt(t, runtime, 'true', { globals: JSON_LOG, config })).msg, message);
    }
  });

  it('run.oci.delegate-cgroup: the container’s processes are below the root of its namespace', (t) => {
    const s = session(t, runtime);
    const map = [{ containerID: 0, hostID: 100_000, size: 65536 }];
    for (const user of [false, true]) {
      const bundle = scriptBundle(t, 'exec sleep 1000', {
        config: annotated({ 'run.oci.delegate-cgroup': 'pay/load' }, (spec) => {
          if (!user) return;
          spec.linux.namespaces.push({ type: 'user' });
          spec.linux.uidMappings = map;
          spec.linux.gidMappings = map;
        }),
        own: (rootfs) => {
          chmodSync(join(rootfs, '../..'), 0o755);
          if (user) chownSync(rootfs, 100_000, 100_000);
        },
      });
      const { id, code, stderr } = s.create(bundle);
      assert.deepEqual([code, stderr], [0, '']);
      const { pid } = s.state(id);
      const host = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
      assert.match(host, /\/pay\/load$/);
      assert.equal(statSync(cgroups + host).uid, user ? 100_000 : 0);
      s.ok(['start', id]);
      const inside = s.ok(['exec', id, 'cat', '/proc/self/cgroup']);
      assert.match(inside, /^0::\/pay\/load$/m);
      assert.deepEqual(JSON.parse(s.ok(['ps', '--format', 'json', id])), [pid]);
      s.ok(['pause', id]);
      assert.equal(s.state(id).status, 'paused');
      s.ok(['resume', id]);
      s.ok(['delete', '--force', id]);
    }
  });

  it('annotations that ask for what runts hasn’t got are refused', (t) => {
    const cases: [Record<string, string>, RegExp][] = [
      [{ 'run.oci.handler': 'krun' }, /annotations\["run\.oci\.handler"\]: no handler "krun"/],
      [{ 'run.oci.handler': 'wasm' }, /no handler "wasm" \(runts runs native programs only/],
      [
        { 'module.wasm.image/variant': 'compat' },
        /\["module\.wasm\.image\/variant"\]: runts runs no WebAssembly/,
      ],
      [
        { 'run.oci.systemd.force_cgroup_v1': '/sys/fs/cgroup/systemd' },
        /runts mounts no cgroup v1 hierarchy/,
      ],
      [{ 'run.oci.seccomp.plugins': 'x.so' }, /runts loads no plugins/],
      [{ 'run.oci.seccomp.receiver': 'x' }, /\["run\.oci\.seccomp\.receiver"\]: expected an absolute path/],
      [
        { 'run.oci.delegate-cgroup': '../x' },
        /\["run\.oci\.delegate-cgroup"\]: expected a name of a cgroup, found/,
      ],
      [
        { 'run.oci.systemd.subgroup': '/x' },
        /\["run\.oci\.systemd\.subgroup"\]: expected a name of a cgroup/,
      ],
      [
        { 'run.oci.mount_context_type': 'x' },
        /\["run\.oci\.mount_context_type"\]: expected one of context, fs/,
      ],
    ];
    for (const [annotations, message] of cases) {
      const s = session(t, runtime);
      const bundle = scriptBundle(t, 'true', { config: annotated(annotations) });
      const failure = failureOf(s.run(bundle, { globals: JSON_LOG }));
      assert.equal(failure.exit, 1);
      assert.match(failure.msg, message);
      assert.deepEqual(existsSync(s.root) ? readdirSync(s.root) : [], []);
    }
    // Those that mean nothing here.
    for (const annotations of [
      { 'run.oci.handler': '' },
      { 'run.oci.handler': 'wasm-smart' },
      { 'module.wasm.image/variant': 'compat-smart' },
      { 'run.oci.systemd.subgroup': '' },
      { 'run.oci.unheard.of': 'x' },
    ] as Record<string, string>[]) {
      const { code, stdout } = lookAt(t, runtime, 'echo @ran; echo x', { config: annotated(annotations) });
      assert.deepEqual([code, sectionsOf(stdout).ran], [0, 'x']);
    }
  });
}
