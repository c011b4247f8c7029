/**
 * A runtime with root file systems, bind sources and a log of hooks of its own, in which configs are tried one by one.
 *
 * @module
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  fchownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Runtime, TestSpec } from '../../test/harness/index.ts';
import { makeRootfs } from '../../test/harness/rootfs.ts';
import { TOKEN, temporaryFolder } from '../../test/harness/temporary.ts';
import { isComplete, normalise } from './probe.ts';

/** Stands for the side's folder in a config. */
export const SIDE = '@SIDE@';

/** Where hooks in the container write to. */
export const HOOKS = '/tmp/hooks';

/** What user namespaces map their root to. */
export const BASE = 100_000;

/** Seconds for one container. */
const LIMIT = 30;

/** How a config went. */
export interface Outcome {
  /** Whether the container's own program ran to its end. */
  readonly ran: boolean;
  /** What the runtime said when not. */
  readonly message: string;
  /** `section: line`: what the container saw, its exit code, its hooks, what is left in its root. */
  readonly lines: readonly string[];
}

export interface Side {
  readonly runtime: Runtime;
  readonly folder: string;
  /** The state folder. */
  readonly root: string;
  try(spec: TestSpec): Promise<Outcome>;
}

/** What bind mounts and overlays are made of; the same on each side. */
function makeSources(folder: string): void {
  for (const name of ['folder/below', 'lower/a', 'upper', 'work']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  for (const name of ['file', 'folder/file', 'folder/below/file', 'lower/a/file', 'private']) {
    writeFileSync(join(folder, name), `${name}\n`);
  }
  chmodSync(join(folder, 'private'), 0o600);
  symlinkSync('folder', join(folder, 'link'));
  // A tree of mounts: recursive options and propagation have something to work on.
  mkdirSync(join(folder, 'tree'));
  const mount = (...args: string[]): void => {
    const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr}`);
  };
  mount('-t', 'tmpfs', '-o', 'nosuid,mode=755', 'tree', join(folder, 'tree'));
  mkdirSync(join(folder, 'tree/inner'));
  mount('-t', 'tmpfs', '-o', 'nodev,noexec,mode=755', 'inner', join(folder, 'tree/inner'));
}

/** A busybox, and links and files that configs point at. */
function makeRoot(folder: string, owner: number): string {
  mkdirSync(folder);
  makeRootfs(folder);
  for (const name of ['srv/real', 'home/user', 'opt/folder/below'])
    mkdirSync(join(folder, name), { recursive: true });
  symlinkSync('/srv/real', join(folder, 'link'));
  symlinkSync('../run', join(folder, 'var/run'));
  symlinkSync('../../../..', join(folder, 'opt/up'));
  writeFileSync(join(folder, 'opt/file'), 'a file\n');
  writeFileSync(join(folder, 'opt/program'), 'no program\n', { mode: 0o644 });
  chmodSync(join(folder, 'opt/program'), 0o644);
  if (owner !== 0 && spawnSync('chown', ['-hR', `${owner}:${owner}`, folder]).status !== 0) {
    throw new Error(`chown ${folder}`);
  }
  return folder;
}

interface Entry {
  mode: number;
  uid: number;
  gid: number;
  text: string;
}

/** Every file of a root but those of its bin folders. */
function entriesOf(folder: string): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  const walk = (path: string): void => {
    const stat = lstatSync(join(folder, path));
    const link = stat.isSymbolicLink() ? readlinkSync(join(folder, path)) : '';
    const file = stat.isFile() ? readFileSync(join(folder, path), 'utf8') : '';
    entries.set(path, { mode: stat.mode, uid: stat.uid, gid: stat.gid, text: link + file });
    if (!stat.isDirectory() || path.endsWith('/bin')) return;
    for (const name of readdirSync(join(folder, path))) walk(`${path}/${name}`);
  };
  walk('');
  return entries;
}

/** What a container has changed in its root, which is put back as it was. */
function restore(folder: string, before: ReadonlyMap<string, Entry>): string[] {
  const found: string[] = [];
  for (const [path, now] of [...entriesOf(folder)].reverse()) {
    const was = before.get(path);
    if (JSON.stringify(was) === JSON.stringify(now)) continue;
    const { mode, uid, gid, text } = now;
    // Of a source, when it is mounted there.
    const isLog = path === HOOKS || (!before.has(path) && path.endsWith('/hooks'));
    if (isLog) found.push(...hookLines(text).reverse());
    const content = isLog ? '' : text.replaceAll('\n', '|');
    found.push(`left: ${path} is ${(mode >> 12).toString(8)} ${content}`);
    found.push(`left: ${path} mode ${(mode & 0o7777).toString(8)}`, `left: ${path} owner ${uid}:${gid}`);
    if (was === undefined) {
      rmSync(join(folder, path), { recursive: true });
      continue;
    }
    if (was.text !== text) writeFileSync(join(folder, path), was.text);
    lchownSync(join(folder, path), was.uid, was.gid);
    chmodSync(join(folder, path), was.mode & 0o7777);
  }
  for (const path of before.keys()) {
    if (lstatSync(join(folder, path), { throwIfNoEntry: false }) === undefined) {
      throw new Error(`a container has removed ${path} of its root`);
    }
  }
  return found.reverse();
}

/** The runtime's errors; where there are none, what the container printed last. */
function said(stderr: string, stdout: string): string {
  const errors = stderr.split('\n').filter((line) => line !== '' && !line.includes('level=warning'));
  return errors.length > 0 ? errors.join('; ') : `nothing; the container: ${stdout.slice(-300)}`;
}

/** Whether a runtime complains of something; warnings are free. */
function complaint(stderr: string): string {
  return said(stderr, '').startsWith('nothing;') ? 'nothing' : 'an error';
}

/** The lines of a log that hooks wrote, the state they got among them, without what is by chance. */
function hookLines(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      if (!line.startsWith('{')) return `hooks: ${line}`;
      const { pid, ociVersion: _, ...state } = JSON.parse(line) as Record<string, unknown>;
      const notes = Object.entries((state.annotations ?? {}) as object).sort();
      const known = [...['id', 'status', 'bundle'].map((key) => [key, state[key]]), ['annotations', notes]];
      return `hooks: state ${JSON.stringify(Object.fromEntries(known))} ${Number(pid) > 0 ? 'with a pid' : 'without'}`;
    });
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

let count = 0;

/**
 * Makes a side; its folder goes with the process.
 *
 * @param namespaces folder with pinned namespaces
 */
export function makeSide(runtime: Runtime, namespaces: string): Side {
  const folder = temporaryFolder();
  const bundle = join(folder, 'bundle');
  const root = join(folder, 'state');
  const log = join(folder, 'hooks');
  for (const path of [bundle, join(folder, 'source')]) mkdirSync(path);
  for (const path of [folder, bundle]) chmodSync(path, 0o711);
  makeSources(join(folder, 'source'));
  const roots = { plain: makeRoot(join(bundle, 'plain'), 0), mapped: makeRoot(join(bundle, 'mapped'), BASE) };
  const before = { plain: entriesOf(roots.plain), mapped: entriesOf(roots.mapped) };
  const source = join(folder, 'source');
  const sources = entriesOf(source);
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
  const [file, ...first] = runtime.command;

  const execute = (id: string): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((done, fail) => {
      // Runtimes give the standard streams to the container's user: not the world's null device.
      const input = openSync(join(folder, 'input'), 'w+');
      fchownSync(input, 0, 0);
      const argv = [...first, '--root', root, 'run', '--bundle', bundle, id];
      const child = spawn(file!, argv, { env, cwd: folder, stdio: [input, 'pipe', 'pipe'] }) as Child;
      closeSync(input);
      const output = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].setEncoding('utf8').on('data', (text: string) => {
          output[name] += text;
        });
      }
      const timer = setTimeout(() => {
        output.stderr += `\nnot over after ${LIMIT} seconds`;
        child.kill('SIGKILL');
        // What holds the pipes open.
        spawnSync(file!, [...first, '--root', root, 'delete', '--force', id], { env });
        for (const stream of [child.stdout, child.stderr]) stream.destroy();
      }, LIMIT * 1000);
      child.on('error', fail);
      child.on('close', (code) => {
        clearTimeout(timer);
        done({ code: code ?? -1, ...output });
      });
    });

  return {
    runtime,
    folder,
    root,
    async try(spec) {
      const id = `${TOKEN}-side-${count++}`;
      const kind = spec.linux.namespaces.some(({ type }) => type === 'user') ? 'mapped' : 'plain';
      const config = structuredClone(spec);
      config.root.path = kind;
      config.linux.cgroupsPath = `/${TOKEN}/${id}`;
      const text = JSON.stringify(config).replaceAll(SIDE, folder).replaceAll('@NS@', namespaces);
      writeFileSync(join(bundle, 'config.json'), text);
      // Hooks in a user namespace write to it too.
      writeFileSync(log, '');
      chmodSync(log, 0o666);
      const { code, stdout, stderr } = await execute(id);
      const hooks = readFileSync(log, 'utf8');
      // What is mounted from there may be changed as well: compared, and put back.
      const left = [
        ...restore(roots[kind], before[kind]),
        ...restore(source, sources).map((line) => (line.startsWith('left: ') ? `source ${line}` : line)),
      ];
      const plain = (line: string): string =>
        line
          .replace(/time="[^"]*" /g, '')
          .replaceAll(`/${TOKEN}/${id}`, '/CGROUP')
          .replaceAll(id, 'ID')
          .replace(new RegExp(`[^\\s"',=:]*/${folder.split('/').at(-1)}\\b`, 'g'), 'SIDE');
      const ran = isComplete(stdout);
      if (!ran) spawnSync(file!, [...first, '--root', root, 'delete', '--force', id], { env });
      const lines = ran
        ? [`exit: ${code}`, `says: ${complaint(stderr)}`, ...normalise(stdout), ...left]
        : [`exit: ${code}`];
      lines.push(...hookLines(hooks));
      return { ran, message: plain(said(stderr, stdout)), lines: lines.map(plain) };
    },
  };
}
