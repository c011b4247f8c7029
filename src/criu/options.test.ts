import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../cli/tables/index.ts';
import type { FlagValue } from '../cli/types.ts';
import { checkpointFlags, restoreFlags } from './options.ts';

type Flags = Record<string, FlagValue>;
const OFF = {
  extUnixSk: false,
  tcpEstablished: false,
  shellJob: false,
  fileLocks: false,
  autoDedup: false,
  emptyNs: 0,
  manageCgroups: true,
  manageCgroupsMode: 6,
};

test('without flags', () => {
  const { options, ...rest } = checkpointFlags({});
  assert.deepEqual(rest, {
    imagePath: join(process.cwd(), 'checkpoint'),
    leaveRunning: false,
    preDump: false,
    lazyPages: false,
  });
  assert.deepEqual(options, {
    ...OFF,
    leaveRunning: false,
    tcpSkipInFlight: false,
    linkRemap: false,
    lazyPages: false,
  });
  assert.deepEqual(restoreFlags({}), {
    imagePath: join(process.cwd(), 'checkpoint'),
    options: { ...OFF, lazyPages: false, tcpClose: false },
  });
});

test('each flag of both commands has its option', () => {
  const both: [Flags, Record<string, unknown>][] = [
    [{ 'tcp-established': true }, { tcpEstablished: true }],
    [{ 'ext-unix-sk': true }, { extUnixSk: true }],
    [{ 'shell-job': true }, { shellJob: true }],
    [{ 'file-locks': true }, { fileLocks: true }],
    [{ 'auto-dedup': true }, { autoDedup: true }],
    [{ 'empty-ns': ['network'] }, { emptyNs: 0x40000000 }],
    [{ 'manage-cgroups-mode': 'ignore' }, { manageCgroupsMode: 0 }],
    [{ 'manage-cgroups-mode': 'soft' }, { manageCgroupsMode: 3 }],
    [{ 'manage-cgroups-mode': 'full' }, { manageCgroupsMode: 4 }],
    [{ 'manage-cgroups-mode': 'strict' }, { manageCgroupsMode: 5 }],
    [{ 'network-lock': 'iptables' }, { networkLock: 1 }],
    [{ 'network-lock': 'nftables' }, { networkLock: 2 }],
    [{ 'network-lock': 'skip' }, { networkLock: 3 }],
  ];
  const save: typeof both = [
    [{ 'leave-running': true }, { leaveRunning: true }],
    [{ 'link-remap': true }, { linkRemap: true }],
    [{ 'tcp-skip-in-flight': true }, { tcpSkipInFlight: true }],
    [{ 'page-server': '10.0.0.1:99' }, { ps: { address: '10.0.0.1', port: 99 } }],
    [{ 'page-server': '[::1]:99' }, { ps: { address: '::1', port: 99 } }],
    [{ 'pre-dump': true }, { trackMem: true }],
    [
      { 'lazy-pages': true, 'page-server': 'a:1' },
      { lazyPages: true, ps: { address: 'a', port: 1 } },
    ],
  ];
  const restore: typeof both = [
    [{ 'lazy-pages': true }, { lazyPages: true }],
    [{ 'tcp-close': true }, { tcpClose: true }],
    [{ 'lsm-profile': 'apparmor:x' }, { lsmProfile: 'apparmor:x' }],
    [{ 'lsm-mount-context': 'y' }, { lsmMountContext: 'y' }],
  ];
  for (const [read, cases, none] of [
    [checkpointFlags, [...both, ...save], checkpointFlags({}).options],
    [restoreFlags, [...both, ...restore], restoreFlags({}).options],
  ] as const) {
    for (const [flags, expected] of cases)
      assert.deepEqual(read(flags).options, { ...none, ...expected }, JSON.stringify(flags));
  }
  assert.equal(checkpointFlags({ 'status-fd': 3 }).statusFd, 3);
  assert.equal(restoreFlags({ 'work-path': '/w' }).workPath, '/w');
});

test('every flag in the tables is read', () => {
  // What `run` has as well is not CRIU's.
  const others = [
    'bundle',
    'console-socket',
    'detach',
    'pid-file',
    'pidfd-socket',
    'no-pivot',
    'no-subreaper',
    'keep',
  ];
  for (const [name, read] of [
    ['checkpoint', checkpointFlags],
    ['restore', restoreFlags],
  ] as const) {
    const asked = new Set<string>();
    read(new Proxy({}, { get: (_, flag) => void asked.add(String(flag)) }));
    const table = COMMANDS.find((spec) => spec.name === name)!.flags.map((flag) => flag.name);
    assert.deepEqual([...asked].sort(), table.filter((flag) => !others.includes(flag)).sort());
  }
});

test('the parent is a folder beside the images', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'runts-criu-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'pre'));
  writeFileSync(join(folder, 'file'), '');
  const flags = (parent: string): Flags => ({ 'image-path': join(folder, 'images'), 'parent-path': parent });
  assert.deepEqual(
    [checkpointFlags(flags('../pre')).options.parentImg, checkpointFlags(flags('../pre')).options.trackMem],
    ['../pre', true],
  );
  assert.throws(() => checkpointFlags(flags(join(folder, 'pre'))), /--parent-path: .* must be relative/);
  assert.throws(() => checkpointFlags(flags('../none')), /--parent-path: .*none: no such file or directory/);
  assert.throws(() => checkpointFlags(flags('../file')), /--parent-path: .*file: not a directory/);
});

test('values that no CRIU takes', () => {
  const cases: [Flags, RegExp][] = [
    [
      { 'manage-cgroups-mode': 'hard' },
      /--manage-cgroups-mode: "hard" is none of ignore, soft, full, strict/,
    ],
    [{ 'network-lock': 'x' }, /--network-lock: "x" is none of iptables, nftables, skip/],
    [{ 'empty-ns': ['mount'] }, /--empty-ns: namespace "mount" is not supported/],
    [{ 'page-server': '10.0.0.1' }, /--page-server: "10.0.0.1" is not ADDRESS:PORT/],
    [{ 'page-server': 'a:0' }, /is not ADDRESS:PORT/],
    [{ 'page-server': 'a:65536' }, /is not ADDRESS:PORT/],
    [{ 'lazy-pages': true }, /--lazy-pages needs --page-server/],
    [{ 'lazy-pages': true, 'page-server': 'a:1', 'pre-dump': true }, /exclude each other/],
  ];
  for (const [flags, message] of cases)
    assert.throws(() => checkpointFlags(flags), { message, code: 'E_USAGE' });
});
